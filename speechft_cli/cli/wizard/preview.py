"""What a config leads to, in a few lines: updates, hours, checkpoints, disk, rough time, probes, what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from speechft_cli.config.alphas import alpha_name
from speechft_cli.config.schema import Config
from speechft_cli.encoders.names import shipped_file
from speechft_cli.errors import amount, shortened

#: Random encoder's size → bytes of its weights, HuBERT's.
_BYTES = {"tiny": 3.3e6, "small": 12.7e6, "base": 379e6, "large": 1266e6}
#: What a fine-tuning run keeps, in encoders: base, best, last and its two moments.
_KEPT = 5
#: Seconds of audio that one core trains HuBERT base on in a second: while the encoder is frozen, and after.
_FROZEN_RATE, _RATE = 2.69, 1.35


def preview(config: Config) -> Iterator[str]:
    """Yields a line per stage that the config has a section for."""
    if config.prepare is not None:
        hours = "all of it" if config.prepare.hours is None else f"at most {config.prepare.hours:g} h of each split"
        yield f"prepare   {config.prepare.corpus}, {hours} → {config.data_dir}"
    tune = config.finetune
    if tune is not None:
        update = tune.batch_seconds * tune.batches_per_update * tune.gpus
        heard = _about(tune.steps * update / 3600, 3)
        frozen = int(tune.frozen_share * tune.steps)
        yield (
            f"finetune  {tune.steps} updates of at most {update:g} s, {heard} h of audio in all; "
            f"the encoder is frozen in the first {frozen} → {config.run_dir}"
        )
        size = _weights(config)
        if size is not None:
            yield f"          {_gigabytes(_KEPT * size)} of disk"
        rest = tune.steps - frozen
        work = _about((frozen / _FROZEN_RATE + rest / _RATE) * update / 3600)
        if size is None or size > _BYTES["small"]:
            yield f"          at HuBERT base's size some {work} h on one CPU core, a small part of that on a GPU"
    if config.merge is not None:
        alphas = [alpha_name(each) for each in config.merge.chosen_alphas]
        count = len(alphas) * len(config.merge.methods) * max(1, len(config.merge.weights))
        files = f"alpha {shortened(alphas, most=6)}: {amount(count, 'checkpoints')} of the base's size"
        size = _weights(config)
        if size is not None:
            files += f", {_gigabytes(count * len(config.merge.formats) * size)} of disk"
        yield f"merge     {', '.join(config.merge.methods)}, {files} → {config.merge_dir}"
    if config.evaluate is not None:
        yield f"evaluate  {', '.join(config.evaluate.tasks)} → {config.evaluate_dir}"
    # what is no absolute path is an encoder's name
    absent = [str(path) for path in _inputs(config) if path is not None and path.is_absolute() and not path.exists()]
    if absent:
        yield f"not there yet: {shortened(absent, most=4)}"


def _inputs(config: Config) -> Iterator[Path | None]:
    """Yields the paths and names of what is there before the first command, or so the config says."""
    if config.prepare is not None:
        yield config.prepare.root
    if config.encoder is not None:
        yield config.encoder.checkpoint
    if config.finetune is not None:
        yield config.finetune.data
    if config.merge is not None:
        yield from (config.merge.base, *config.merge.tuned)
    if config.evaluate is not None:
        yield from (config.evaluate.data, *config.evaluate.models.values())


def _weights(config: Config) -> float | None:
    """How large the encoder's weights are [bytes]; None where that can't be told without fetching or opening it."""
    encoder = config.encoder
    if encoder is not None and encoder.init == "random":
        return _BYTES.get(encoder.size)
    path = encoder.checkpoint if encoder is not None else config.merge.base if config.merge is not None else None
    if path is not None and shipped_file(str(path)).is_file():
        path = shipped_file(str(path))
    return float(path.stat().st_size) if isinstance(path, Path) and path.is_file() else None


def _gigabytes(size: float) -> str:
    return f"{_about(size / 1e9)} GB"


def _about(value: float, digits: int = 2) -> str:
    """Returns a number to so many digits, without an exponent: 230, not 2.3e+02."""
    return f"{float(f'{value:.{digits}g}'):g}"
