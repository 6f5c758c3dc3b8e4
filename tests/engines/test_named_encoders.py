"""An encoder by name, from fine-tuning to merging: the name is what records and commands carry on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import read_encoder, save_encoder
from speechft_cli.engines import finetune, merge
from speechft_cli.errors import RequestError
from speechft_cli.events import ignore
from speechft_cli.io.hashes import weights_hash
from speechft_cli.io.run_folder import read_run
from tests.conftest import make_config


@pytest.fixture
def shipped(tiny: EncoderCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shipped encoder in half precision, with its card."""
    folder = tmp_path / "shipped"
    monkeypatch.setattr("speechft_cli.encoders.names.SHIPPED", folder)
    half = tiny.with_weights({name: each.half() for name, each in tiny.weights.items()})
    save_encoder(half, folder, ["safetensors"], stem="hubert-small")
    (folder / "hubert-small.md").write_text("---\nlicense: cc0-1.0\n---\n", encoding="utf-8")
    return folder


def test_a_name_is_carried_from_the_run_to_the_merge(shipped: Path, manifests: Path, tmp_path: Path) -> None:
    config = make_config(
        output_dir=tmp_path / "out",
        encoder__checkpoint=Path("hubert-small"),
        finetune__data=manifests,
        finetune__steps=2,
        finetune__batch_seconds=4.0,
        finetune__evaluate_every=2,
        finetune__learning_rate=1e-3,
        finetune__workers=0,
        finetune__device="cpu",
        merge__alphas="0,1",
    )
    result = finetune.run(config, ignore)
    assert "--base hubert-small --tuned" in result.next_command
    base = read_encoder(Path("hubert-small"))
    run = read_run(config.run_dir)
    recorded = run["base"]
    assert isinstance(recorded, dict)
    assert (recorded["name"], recorded["path"]) == ("hubert-small", str(shipped / "hubert-small.safetensors"))
    assert recorded["weights_sha256"] == weights_hash(base.weights)
    assert "checkpoint: hubert-small\n" in (config.run_dir / "config.yaml").read_text()
    finetune.run(config, ignore, resume=True)

    merge.run(config.model_copy(update={"encoder": None}), ignore)  # the base is known from the run
    at_zero = config.merge_dir / "alpha-0"
    record = json.loads((at_zero / "merge.json").read_text())
    assert (record["base"]["name"], record["license"]) == ("hubert-small", "cc0-1.0")
    assert "| base | hubert-small, " in (at_zero / "README.md").read_text()
    assert weights_hash(read_encoder(at_zero).weights) == weights_hash(base.weights)


def test_what_is_missing_here_is_said_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("SPEECHFT_CACHE", str(cache))
    stock, nothing = Path("hubert-base"), tmp_path / "nothing"
    with pytest.raises(RequestError, match=f"^{nothing}: must be a checkpoint, but there is no such file"):
        merge.run(make_config(merge__base=stock, merge__tuned=[nothing], output_dir=tmp_path), ignore)
    with pytest.raises(RequestError, match=f"^{nothing}: "):
        finetune.run(make_config(encoder__checkpoint=stock, finetune__data=nothing, output_dir=tmp_path), ignore)
    assert not cache.exists()
