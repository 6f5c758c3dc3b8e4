"""A run is resumed with the settings, the data and the base that it began with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from speechft_cli.config.dotted import leaves
from speechft_cli.config.dump import config_yaml
from speechft_cli.config.schema import Config
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.errors import RequestError
from speechft_cli.io.hashes import weights_hash
from speechft_cli.io.run_folder import read_run

#: What may differ between a run and its resumption: where and how fast, not what.
_FREE_KEYS = {
    "finetune.workers",
    "finetune.device",
    "finetune.log_every",
    "finetune.save_every",
    "finetune.out",
    "finetune.gpus",
    "finetune.compile",
    "finetune.gradient_checkpointing",
    "finetune.trackers",
}


def require_same_settings(config: Config, run: Path) -> None:
    """Makes sure that a run folder's config says the same.

    Raises:
        RequestError: There is no run, its config can't be read, or it says something else.
    """
    read_run(run)  # says what is missing when there is no run
    try:
        was = _settings((run / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, TypeError, KeyError, AttributeError) as error:
        raise RequestError(f"{run / 'config.yaml'}: can't be read: {error!r}", "start another run") from error
    now = _settings(config_yaml(config))
    changed = [
        f"{key}: was {was.get(key)!r}, is {now.get(key)!r}"
        for key in sorted({*was, *now} - _FREE_KEYS)
        if was.get(key) != now.get(key)
    ]
    if changed:
        raise RequestError(
            "\n  ".join([f"{run}: can't be resumed with other settings", *changed]),
            "give the old settings, or start another run: --out DIR",
        )


def _settings(text: str) -> dict[str, object]:
    """What of a config decides how a run goes, by dotted keys."""
    config = yaml.safe_load(text)
    found = dict(leaves({name: config.get(name) for name in ("encoder", "finetune", "seed")}))
    found["finetune.tasks"] = list(config["finetune"]["tasks"])  # the first one selects the checkpoint
    return found


def require_same_data(data: Path, sha256: str, run: Path) -> None:
    """Makes sure that a run began with these manifests.

    Raises:
        RequestError: It did not.
    """
    if _recorded(run, "data")["sha256"] != sha256:
        raise RequestError(
            f"{data}: has changed since the run in {run} began, so it can't be resumed",
            "restore the manifests, or start another run: --out DIR",
        )


def require_same_base(name: Path, base: EncoderCheckpoint, run: Path) -> None:
    """Makes sure that a run began with this encoder.

    Args:
        name: What it is called in the config.
        base: The encoder.
        run: The run folder.

    Raises:
        RequestError: It did not.
    """
    now = {"weights_sha256": weights_hash(base.weights), "configuration_sha256": base.configuration_hash}
    was = _recorded(run, "base")
    if any(was.get(key) != own for key, own in now.items()):
        raise RequestError(
            f"{name}: is not the encoder that the run in {run} started from, by its weights or its configuration",
            "put that one back, or start another run: --out DIR",
        )


def _recorded(run: Path, what: str) -> Mapping[str, object]:
    """What run.json says of the run's `data` or `base`."""
    facts = read_run(run).get(what)
    if not isinstance(facts, dict) or not {"sha256", "weights_sha256"} & facts.keys():
        raise RequestError(f"{run / 'run.json'}: must say {what!r}, so the run can't be resumed", "start another run")
    return facts
