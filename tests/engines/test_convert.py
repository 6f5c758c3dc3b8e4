"""Converting between formats, checked by the features, in every layout of every family."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from speechft_cli.encoders import ENCODERS, FORMATS
from speechft_cli.encoders.formats import read_encoder, save_encoder
from speechft_cli.engines import convert
from speechft_cli.engines.convert.request import ConvertRequest
from speechft_cli.errors import RequestError, SpeechftError
from speechft_cli.events import Event, Note, ignore
from speechft_cli.io.atomic import UNFINISHED
from speechft_cli.io.hashes import file_hash, weights_hash
from tests.encoders.layouts import LAYOUTS, tiny


def formats_of(name: str) -> list[str]:
    return [each for each in FORMATS if each != "hf" or ENCODERS.get(name).home is not None]


def run(source: Path, out: Path, *formats: str, **rest: object) -> dict[str, object]:
    request = ConvertRequest(source, formats, out, **rest)  # type: ignore[arg-type]
    return dict(convert.run(request, ignore).data)


@pytest.mark.parametrize(("name", "size"), LAYOUTS)
def test_every_family_goes_through_every_format_and_back_unchanged(tmp_path: Path, name: str, size: str) -> None:
    checkpoint = tiny(name, size)
    (source,) = save_encoder(checkpoint, tmp_path, ["s3prl"])
    for number, form in enumerate(formats_of(name)):
        result = run(source, tmp_path / str(number), form)
        outputs = result["outputs"]
        assert isinstance(outputs, list)
        assert outputs[0]["feature_difference"] < 1e-5
        source = tmp_path / str(number)  # the next one is made of this one
    back = read_encoder(source)

    assert weights_hash(back.weights) == weights_hash(checkpoint.weights)
    assert back.container == checkpoint.container


def test_several_formats_are_written_at_once_with_their_lineage(tmp_path: Path) -> None:
    checkpoint = tiny("wavlm", "large")
    (source,) = save_encoder(checkpoint, tmp_path, ["s3prl"])
    result = run(source, tmp_path / "out", "hf", "safetensors", stem="mine")
    record = json.loads((tmp_path / "out" / "convert.json").read_text())

    assert {path.name for path in (tmp_path / "out").iterdir()} == {"mine-hf", "mine.safetensors", "convert.json"}
    assert record == {key: value for key, value in result.items() if key != "folder"}
    assert record["source"]["sha256"] == file_hash(source)
    assert record["source"]["weights_sha256"] == weights_hash(checkpoint.weights)
    assert record["outputs"][1]["sha256"] == {"mine.safetensors": file_hash(tmp_path / "out" / "mine.safetensors")}
    assert record["outputs"][0]["file"] == "mine-hf"


def test_weights_without_configuration_take_it_from_their_base(tmp_path: Path) -> None:
    base, tuned = tiny("hubert", "base", seed=1), tiny("hubert", "base", seed=2)
    (base_file,) = save_encoder(base, tmp_path / "base", ["s3prl"])
    bare = {f"encoder.model.{key}": each for key, each in tuned.weights.items() if not base.family.is_kept(key)}
    torch.save({"state_dict": bare}, tmp_path / "spin.ckpt")
    with pytest.raises(RequestError, match="must say what family"):
        run(tmp_path / "spin.ckpt", tmp_path / "out", "s3prl")
    with pytest.raises(RequestError, match=r"no configuration, as a Lightning checkpoint has none") as caught:
        run(tmp_path / "spin.ckpt", tmp_path / "out", "s3prl", family="hubert")
    assert "--base FILE brings it" in caught.value.hint
    assert not (tmp_path / "out").exists()

    run(tmp_path / "spin.ckpt", tmp_path / "out", "s3prl", base=base_file)
    read = read_encoder(tmp_path / "out")
    assert read.container == base.container
    for key, tensor in read.weights.items():
        assert torch.equal(tensor, (base if base.family.is_kept(key) else tuned).weights[key]), key


def test_a_folder_of_transformers_becomes_s3prls_with_a_head_of_zeros_or_of_its_base(tmp_path: Path) -> None:
    checkpoint = tiny("hubert", "large")
    (source,) = save_encoder(checkpoint, tmp_path, ["hf"])
    (base,) = save_encoder(checkpoint, tmp_path, ["s3prl"], stem="base")
    (source / "speechft.safetensors").unlink()
    told: list[Event] = []
    convert.run(ConvertRequest(source, ["s3prl"], tmp_path / "zeros"), told.append)
    assert [each.text for each in told if isinstance(each, Note)] == [
        f"{source / 'model.safetensors'} lacks 3 tensors that only pre-training uses; they become zeros; "
        "--base FILE brings them"
    ]
    assert not read_encoder(tmp_path / "zeros").weights["final_proj.bias"].any()

    run(source, tmp_path / "whole", "s3prl", base=base)
    assert weights_hash(read_encoder(tmp_path / "whole").weights) == weights_hash(checkpoint.weights)


def test_a_folder_that_transformers_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    save_encoder(tiny("hubert", "base"), tmp_path, ["hf"])
    config = tmp_path / "encoder-hf" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "do_stable_layer_norm": "yes"}))
    with pytest.raises(RequestError, match=r"encoder-hf: transformers can't load it: .*'do_stable_layer_norm'.*'yes'"):
        run(tmp_path / "encoder-hf", tmp_path / "out", "s3prl")
    assert not (tmp_path / "out").exists()


def test_what_is_there_is_not_replaced_unless_asked(tmp_path: Path) -> None:
    (source,) = save_encoder(tiny("hubert", "base"), tmp_path, ["s3prl"])
    (tmp_path / "out" / "encoder-hf").mkdir(parents=True)
    (tmp_path / "out" / "other.txt").write_text("mine")
    with pytest.raises(RequestError, match="encoder-hf: exists"):
        run(source, tmp_path / "out", "hf", "safetensors", verify=False)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"encoder-hf", "other.txt"}
    run(source, tmp_path / "out", "hf", "safetensors", verify=False, force=True)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "encoder-hf",
        "encoder.safetensors",
        "other.txt",
        "convert.json",
    }
    before = (tmp_path / "out" / "convert.json").read_text()
    with pytest.raises(RequestError, match=r"convert\.json: exists"):  # the record of what else lies there
        run(source, tmp_path / "out", "s3prl", verify=False)
    assert (tmp_path / "out" / "convert.json").read_text() == before
    with pytest.raises(RequestError, match="is what would be replaced"):
        run(source, tmp_path, "s3prl", force=True)


def test_features_that_differ_are_an_error_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = save_encoder(tiny("hubert", "base"), tmp_path, ["s3prl"])
    from speechft_cli.encoders.formats import huggingface_names

    swapped = {"self_attn.k_proj": "attention.q_proj", "self_attn.q_proj": "attention.k_proj"}
    renames = tuple((f"encoder.layers.#.{key}.", f"encoder.layers.#.{value}.") for key, value in swapped.items())
    monkeypatch.setattr(huggingface_names, "_RENAMES", renames + huggingface_names._RENAMES)
    with pytest.raises(SpeechftError, match=r"encoder-hf: must give the features of .*, differs by .*nothing was"):
        run(source, tmp_path / "out", "s3prl", "hf")
    assert not (tmp_path / "out").exists()


def test_numbers_that_are_none_are_named(tmp_path: Path) -> None:
    checkpoint = tiny("hubert", "base")
    weights = dict(checkpoint.weights)
    weights["layer_norm.bias"] = torch.full_like(weights["layer_norm.bias"], torch.inf)
    (source,) = save_encoder(checkpoint.with_weights(weights), tmp_path, ["s3prl"])
    with pytest.raises(RequestError, match=r"must be finite, has NaN or Inf in layer_norm\.bias"):
        run(source, tmp_path / "out", "safetensors", verify=False)
    assert not (tmp_path / "out").exists()


def test_a_base_of_another_size_is_refused(tmp_path: Path) -> None:
    (other,) = save_encoder(tiny("hubert", "large"), tmp_path, ["s3prl"])
    weights = {f"model.{key}": each for key, each in tiny("hubert", "base").weights.items()}
    torch.save({"Upstream": weights}, tmp_path / "a.ckpt")
    with pytest.raises(RequestError, match=r"don't fit its configuration"):
        run(tmp_path / "a.ckpt", tmp_path / "out", "s3prl", base=other)


def test_what_a_killed_conversion_left_is_cleared_away_and_beside_a_living_one_none_begins(tmp_path: Path) -> None:
    (source,) = save_encoder(tiny("hubert", "base"), tmp_path, ["s3prl"])
    out = tmp_path / "out"
    (out / UNFINISHED).mkdir(parents=True)
    (out / UNFINISHED / "encoder.pt").write_text("half")
    lock = "import sys, fcntl; file = open(sys.argv[1], 'a+'); fcntl.lockf(file, fcntl.LOCK_EX); print(); input()"
    with subprocess.Popen(
        [sys.executable, "-c", lock, str(out / ".lock")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as living:
        assert living.stdout is not None
        living.stdout.readline()
        with pytest.raises(RequestError, match="out: is in use by process"):
            run(source, out, "safetensors", verify=False)
        assert (out / UNFINISHED / "encoder.pt").read_text() == "half"
        living.communicate(b"\n")
    run(source, out, "safetensors", verify=False)
    assert {path.name for path in out.iterdir()} == {"encoder.safetensors", "convert.json"}
