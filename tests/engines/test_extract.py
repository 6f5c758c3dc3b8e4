"""Features in files, from a true tiny encoder and recordings of two pitches."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from speechft_cli.data import neighbours
from speechft_cli.data.audio import read_waveform
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.engines import extract
from speechft_cli.engines.extract import parts
from speechft_cli.engines.extract.request import ExtractRequest
from speechft_cli.errors import InterruptedRunError, RequestError
from speechft_cli.events import Advanced, Event, Note, ignore
from speechft_cli.io.hashes import weights_hash
from tests.manifest_files import write_manifest


def lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "index.jsonl").read_text().splitlines()]


@pytest.fixture
def expected(tiny: EncoderCheckpoint, manifests: Path) -> dict[str, torch.Tensor]:
    """Hidden states of the dev utterances, each encoded alone."""
    encoder = build_encoder(tiny, device=torch.device("cpu"))
    with torch.no_grad():
        return {
            each.id: torch.cat(encoder([read_waveform(each)]).hidden_states) for each in read_manifest(manifests, "dev")
        }


def test_features_of_a_manifest_are_those_of_each_utterance_alone(
    tiny: EncoderCheckpoint, tiny_file: Path, manifests: Path, tmp_path: Path, expected: dict[str, torch.Tensor]
) -> None:
    result = extract.run(ExtractRequest(tiny_file, manifests, tmp_path / "out", splits=("dev",)), ignore)
    found = load_file(tmp_path / "out" / "features-00000.safetensors")
    assert found.keys() == expected.keys()
    for name, features in found.items():
        torch.testing.assert_close(features, expected[name], rtol=0, atol=1e-5)
    index = {str(line["id"]): line for line in lines(tmp_path / "out")}
    assert {name: line["frames"] for name, line in index.items()} == {n: f.shape[1] for n, f in expected.items()}
    record = json.loads((tmp_path / "out" / "extract.json").read_text())
    assert record["weights_sha256"] == weights_hash(tiny.weights)
    assert (record["frame_stride_seconds"], record["frame_width_seconds"]) == (0.02, 0.025)
    assert (record["hidden_states"], record["utterances"], record["family"]) == ([0, 1, 2, 3], 4, "hubert")
    assert result.data == record


@pytest.mark.parametrize("is_pooled", [False, True])
def test_chosen_layers_as_arrays_of_a_folder_of_recordings(
    tiny_file: Path, manifests: Path, tmp_path: Path, expected: dict[str, torch.Tensor], is_pooled: bool
) -> None:
    for name in ("dev-0", "dev-3"):
        (tmp_path / "in" / name).mkdir(parents=True)
        shutil.copy(manifests / "audio" / f"{name}.wav", tmp_path / "in" / name / "a b.wav")
    (tmp_path / "in" / "noise.wav").write_bytes(b"no audio")
    notes: list[Event] = []
    request = ExtractRequest(
        tiny_file,
        tmp_path / "in",
        tmp_path / "out",
        layers=(-1, 1),
        file_format="npy",
        precision="fp16",
        is_pooled=is_pooled,
    )
    extract.run(request, notes.append)
    assert any(isinstance(note, Note) and "noise.wav: is left out" in note.text for note in notes)
    assert [line["id"] for line in lines(tmp_path / "out")] == ["dev-0/a b", "dev-3/a b"]
    for line, name in zip(lines(tmp_path / "out"), ("dev-00", "dev-03"), strict=True):
        array = np.load(tmp_path / "out" / str(line["file"]))
        wanted = expected[name][[3, 1]].mean(dim=1) if is_pooled else expected[name][[3, 1]]
        assert array.dtype == np.float16
        np.testing.assert_allclose(array, wanted.numpy(), atol=5e-3)


def test_names_that_would_be_too_long_with_escapes_are_folders_and_files_again(
    tiny_file: Path, manifests: Path, tmp_path: Path
) -> None:
    deep = tmp_path / "in" / ("a" * 200) / ("日本語" * 20)  # of which a name can be 255 bytes, escaped it is 540
    deep.mkdir(parents=True)
    shutil.copy(manifests / "audio" / "dev-0.wav", deep / "100 %.wav")
    extract.run(ExtractRequest(tiny_file, tmp_path / "in", tmp_path / "out", file_format="npy"), ignore)
    (line,) = lines(tmp_path / "out")
    assert line["file"] == f"npy/{line['id']}.npy"
    assert np.load(tmp_path / "out" / str(line["file"])).shape[1] == line["frames"]


def test_an_id_can_not_lead_out_of_the_folder(tiny_file: Path, manifests: Path, tmp_path: Path) -> None:
    names = ["../../escaped", "/escaped"]
    two = list(read_manifest(manifests, "dev"))[:2]
    write_manifest(tmp_path / "in", "dev", [replace(each, id=name) for each, name in zip(two, names, strict=True)])
    extract.run(ExtractRequest(tiny_file, tmp_path / "in", tmp_path / "out" / "deep", file_format="npy"), ignore)
    assert {path.parent for path in tmp_path.rglob("*.npy")} == {tmp_path / "out" / "deep" / "npy"}
    assert {line["id"] for line in lines(tmp_path / "out" / "deep")} == set(names)


def test_what_is_too_short_for_a_frame_or_has_no_readable_name_is_left_out(
    tiny_file: Path, manifests: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    soundfile.write(tmp_path / "in" / "click.wav", np.zeros(399), 16_000)
    soundfile.write(tmp_path / "in" / "frame.wav", np.ones(400) / 2, 16_000)
    (tmp_path / "in" / "._frame.wav").write_bytes(b"what a Mac notes of a file")
    shutil.copy(manifests / "audio" / "dev-0.wav", os.fsencode(tmp_path / "in") + b"/caf\xe9.wav")  # Latin-1
    said: list[Event] = []
    extract.run(ExtractRequest(tiny_file, tmp_path / "in", tmp_path / "out"), said.append)
    assert [note.text.removeprefix(f"{tmp_path}/in/") for note in said if isinstance(note, Note)] == [
        "caf\\xe9.wav: is left out: name is not UTF-8",
        "click.wav: is left out: 0.0249375 s are too short for a frame",
    ]
    assert [(line["id"], line["frames"]) for line in lines(tmp_path / "out")] == [("frame", 1)]


def test_recordings_in_a_folder_that_is_a_link_are_heard(tiny_file: Path, manifests: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "speaker").symlink_to(manifests / "audio")
    extract.run(ExtractRequest(tiny_file, tmp_path / "in", tmp_path / "out", is_pooled=True), ignore)
    heard = {f"speaker/{path.stem}" for path in (manifests / "audio").iterdir()}
    assert {line["id"] for line in lines(tmp_path / "out")} == heard


def test_an_interrupted_run_goes_on_where_it_was_and_a_lost_file_is_made_again(
    tiny_file: Path, manifests: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_MOST", 3)  # several batches and parts of these short recordings
    monkeypatch.setattr(parts, "_PART_SECONDS", 3.0)
    request = ExtractRequest(tiny_file, manifests, tmp_path / "out", splits=("train",))

    def interrupt(event: Event) -> None:
        if isinstance(event, Advanced) and event.done >= 7:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedRunError):
        extract.run(request, interrupt)
    assert not (tmp_path / "out" / "index.jsonl").exists()
    there = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.safetensors")}
    assert there
    assert "parts were there" in extract.run(request, ignore).summary
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in there} == there
    whole = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.safetensors")}
    (tmp_path / "out" / "features-00001.safetensors").write_bytes(b"")
    extract.run(request, ignore)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.safetensors")} == whole
    assert {line["id"] for line in lines(tmp_path / "out")} == {f"train-{number:02}" for number in range(12)}


def test_a_folder_of_other_features_is_refused(
    tiny: EncoderCheckpoint, tiny_file: Path, manifests: Path, tmp_path: Path
) -> None:
    request = ExtractRequest(tiny_file, manifests, tmp_path / "out", splits=("dev",))
    extract.run(request, ignore)
    other = tiny.with_weights({name: 1.01 * tensor for name, tensor in tiny.weights.items()})
    converted.write(other, tmp_path / "other.pt")
    task = {**cast("dict[str, object]", tiny.container["task_cfg"]), "normalize": True}
    converted.write(replace(tiny, container={**tiny.container, "task_cfg": task}), tmp_path / "configured.pt")
    for changed in (ExtractRequest(tmp_path / "other.pt", manifests, tmp_path / "out", splits=("dev",)),
                    ExtractRequest(tmp_path / "configured.pt", manifests, tmp_path / "out", splits=("dev",)),
                    ExtractRequest(tiny_file, manifests, tmp_path / "out", splits=("test",))):  # fmt: skip
        with pytest.raises(RequestError, match="holds features of another encoder, other audio or other settings"):
            extract.run(changed, ignore)


def test_features_of_a_recording_that_was_replaced_by_one_as_long_are_not_taken_for_its_own(
    tiny_file: Path, manifests: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    shutil.copy(manifests / "audio" / "dev-0.wav", tmp_path / "in" / "a.wav")
    request = ExtractRequest(tiny_file, tmp_path / "in", tmp_path / "out")
    extract.run(request, ignore)
    assert "parts were there" in extract.run(request, ignore).summary
    samples, rate = soundfile.read(tmp_path / "in" / "a.wav")
    soundfile.write(tmp_path / "in" / "a.wav", samples / 2, rate)  # as a denoised one would be: same name, same length
    with pytest.raises(RequestError, match="holds features of another encoder, other audio"):
        extract.run(request, ignore)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"layers": (4,)}, "--layers: must lie between 0 and 3"),
        ({"splits": ("dve",)}, "--split: must be one of train, dev, test"),
        ({"audio": Path("nowhere")}, "nowhere: must be a folder"),
        ({"encoder": Path("nothing.pt")}, r"nothing\.pt"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_written(
    tiny_file: Path, manifests: Path, tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    request = {"encoder": tiny_file, "audio": manifests, "out": tmp_path / "out", **changed}
    with pytest.raises(RequestError, match=message):
        extract.run(ExtractRequest(**request), ignore)  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()


def test_frames_of_a_cnn_begin_every_20_ms_and_hear_25(tiny: EncoderCheckpoint) -> None:
    assert (tiny.family.framing.stride, tiny.family.framing.width) == (320, 400)


def test_log_mel_features_are_extracted_by_name(manifests: Path, tmp_path: Path) -> None:
    extract.run(ExtractRequest(Path("logmel"), manifests, tmp_path / "out", splits=("dev",)), ignore)
    record = json.loads((tmp_path / "out" / "extract.json").read_text())
    assert (record["family"], record["hidden_states"]) == ("logmel", [0])
    assert (record["frame_stride_seconds"], record["frame_width_seconds"]) == (0.01, 0.025)
    first = json.loads((tmp_path / "out" / "index.jsonl").read_text().splitlines()[0])
    features = load_file(tmp_path / "out" / first["file"])[first["id"]]
    assert features.shape == (1, 98, 240)  # of one second


def extract_as(rank: int, port: int, request: ExtractRequest) -> None:
    os.environ.update(RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    extract.run(request, ignore)


def test_two_processes_write_what_one_writes(tiny_file: Path, manifests: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    one, two = (
        ExtractRequest(tiny_file, manifests, tmp_path / name, splits=("dev",), device="cpu") for name in ("one", "two")
    )
    # forked: they only listen, and need not load torch again
    fork = multiprocessing.get_context("fork")
    ranks = [fork.Process(target=extract_as, args=(rank, port, two)) for rank in (0, 1)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(120)
    assert [process.exitcode for process in ranks] == [0, 0]
    extract.run(one, ignore)
    for name in ("index.jsonl", "features-00000.safetensors"):
        assert (tmp_path / "two" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
