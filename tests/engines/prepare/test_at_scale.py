"""Several processes, kills in the middle, corpora that mean harm."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.prepare import PrepareSection
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.data.preparing.inspection import Limits, Task
from speechft_cli.data.preparing.inspectors import inspectors
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import row_of
from speechft_cli.data.verdicts import Bad, Good, pack, unpack_verdicts
from speechft_cli.engines.prepare import run
from speechft_cli.errors import InterruptedRunError, RequestError, SpeechftError
from speechft_cli.events import Event, Note, ignore
from tests.scripts import run_script

COUNT = 1300  # three tasks


def config(root: Path, out: Path, **settings: object) -> Config:
    section = {"corpus": "manifest", "root": root, "out": out, "workers": 2, **settings}
    return Config(prepare=PrepareSection.model_validate(section))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.name != ".lock"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many stretches of a few recordings, ids in no order; some are wrong."""
    root = tmp_path_factory.mktemp("corpus")
    random = np.random.default_rng(0)
    for number in range(3):
        soundfile.write(root / f"{number}.wav", random.uniform(-0.5, 0.5, 16_000 * 60), 16_000)
    with (root / "manifest.jsonl").open("w") as file:
        for number in range(COUNT):
            line = {
                "id": f"{number * 617 % COUNT:05}",
                "audio": f"{number % 3}.wav" if number % 100 else "gone.wav",
                "start": number / 25,
                "duration": 0.2,
                "text": f"NUMBER {number}",
                "split": "train" if number % 3 else "dev",
            }
            file.write(json.dumps(line) + "\n")
    return root


def test_any_number_of_workers_gives_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    one = run(config(corpus, tmp_path / "one", workers=1), ignore)
    run(config(corpus, tmp_path / "two", workers=2), ignore)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert one.data["rejected"] == {"no such file": 13}
    ids = [each.id for each in read_manifest(tmp_path / "one", "train")]
    assert len(ids) == 866 - 8
    assert ids == sorted(ids)


def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(corpus: Path, tmp_path: Path) -> None:
    run(config(corpus, tmp_path / "whole"), ignore)
    # dies as a kill -9 would, when the first task is in the journal
    script = (
        "import os, signal, sys\n"
        "from tests.engines.prepare.test_at_scale import config, run\n"
        "from speechft_cli.events import Advanced\n"
        "from pathlib import Path\n"
        "def report(event):\n"
        "    if isinstance(event, Advanced): os.kill(os.getpid(), signal.SIGKILL)\n"
        "if __name__ == '__main__':\n"
        "    run(config(Path(sys.argv[1]), Path(sys.argv[2])), report)\n"
    )
    assert run_script(tmp_path / "killed.py", script, corpus, tmp_path / "out").returncode == -signal.SIGKILL
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")) == []
    assert (tmp_path / "out" / ".prepare" / "journal").stat().st_size > 10_000
    events: list[Event] = []
    run(config(corpus, tmp_path / "out"), events.append)
    assert Note("going on where an earlier run was stopped") in events
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")
    assert not (tmp_path / "out" / ".prepare").exists()


def test_what_a_run_leaves_that_is_killed_when_all_is_done_goes_with_the_next_one(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = (
        "import os, signal, sys\n"
        "from tests.engines.prepare.test_at_scale import config, run\n"
        "from speechft_cli.events import Table\n"
        "from pathlib import Path\n"
        "def report(event):\n"
        "    if isinstance(event, Table): os.kill(os.getpid(), signal.SIGKILL)\n"
        "if __name__ == '__main__':\n"
        "    run(config(Path(sys.argv[1]), Path(sys.argv[2])), report)\n"
    )
    assert run_script(tmp_path / "killed.py", script, corpus, out).returncode == -signal.SIGKILL
    assert (out / "prepare.json").is_file()
    assert (out / ".prepare").is_dir()
    (out / ".staging.killed").mkdir()
    before = contents(out)
    assert run(config(corpus, out), ignore).data["skipped"] is True
    assert contents(out) == before
    assert {path.name for path in out.iterdir()} == {*before, ".lock"}


def synthetic(out: Path) -> Config:
    section = {"corpus": "synthetic", "hours": 0.03, "synthetic": {"contents": ["digits"]}, "out": out, "workers": 1}
    return Config(prepare=PrepareSection.model_validate(section))


def test_a_killed_generation_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    run(synthetic(tmp_path / "whole"), ignore)
    out = tmp_path / "out"
    # dies as a kill -9 would, in the second chunk
    script = (
        "import os, signal, sys\n"
        "from tests.engines.prepare.test_at_scale import synthetic, run\n"
        "from speechft_cli.events import Advanced\n"
        "from pathlib import Path\n"
        "def report(event):\n"
        "    if isinstance(event, Advanced) and event.done == 100: os.kill(os.getpid(), signal.SIGKILL)\n"
        "if __name__ == '__main__':\n"
        "    run(synthetic(Path(sys.argv[1])), report)\n"
    )
    assert run_script(tmp_path / "killed.py", script, out).returncode == -signal.SIGKILL
    assert not (out / "audio").exists()
    first = next((out / ".prepare" / "speech").rglob("train-000000-*.flac"))
    spoken = first.stat().st_mtime_ns

    def interrupt(event: Event) -> None:
        if type(event).__name__ == "Started" and event.what == "sorting and writing":  # type: ignore[union-attr]
            raise KeyboardInterrupt

    with pytest.raises(SpeechftError, match="interrupted"):
        run(synthetic(out), interrupt)  # when all is spoken already
    run(synthetic(out), ignore)

    (again,) = (out / "audio").rglob("train-000000-*.flac")
    assert again.stat().st_mtime_ns == spoken
    found, expected = contents(out), contents(tmp_path / "whole")
    # the record names when its recordings were written
    record, other = (json.loads(files.pop("prepare.json")) for files in (found, expected))
    assert {key for key in record if record[key] != other[key]} == {"listing", "request_hash"}
    assert found == expected
    audio, whole = ((folder / "audio").rglob("*.*") for folder in (out, tmp_path / "whole"))
    assert {path.name: path.read_bytes() for path in audio} == {path.name: path.read_bytes() for path in whole}
    assert not (out / ".prepare").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_changed_since_a_signal_is_looked_at_again(corpus: Path, tmp_path: Path, number: signal.Signals) -> None:
    root = tmp_path / "corpus"
    root.mkdir()
    for path in corpus.iterdir():
        os.link(path, root / path.name)

    def interrupt(event: Event) -> None:
        if type(event).__name__ == "Started" and event.what == "sorting and writing":  # type: ignore[union-attr]
            os.kill(os.getpid(), number)

    with pytest.raises(InterruptedRunError, match="the same command goes on from there") as caught:
        run(config(root, tmp_path / "out"), interrupt)
    assert caught.value.exit_code == 128 + number
    (root / "2.wav").unlink()
    result = run(config(root, tmp_path / "out"), ignore)
    assert result.data["rejected"] == {"no such file": 442}


def test_when_the_parent_dies_the_workers_do(tmp_path: Path) -> None:
    script = (
        "import multiprocessing, os, signal\n"
        "from speechft_cli.data.preparing.inspectors import inspectors\n"
        "from speechft_cli.data.preparing.inspection import Limits, Task\n"
        "from speechft_cli.data.verdicts import Bad, pack\n"
        "if __name__ == '__main__':\n"
        "    with inspectors(1) as workers:\n"
        "        workers.begin(0, Task(pack([Bad('train', 'a', '/a', 'r', '')]), Limits(0.1, 1.0)))\n"
        "        list(workers.results(is_waiting=True))\n"
        "        print(workers._workers[0].process.pid, flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    worker = int(run_script(tmp_path / "dies.py", script).stdout)
    for _ in range(100):
        if not _is_alive(worker):
            return
        time.sleep(0.1)
    raise AssertionError("the worker is still there")


def test_a_worker_that_dies_of_its_task_takes_nothing_along(tmp_path: Path) -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    rows = [("dev", row_of(Utterance(name, tmp_path / "a.wav"), str(tmp_path / f"{name}.wav"))) for name in "ab"]
    task = Task(pack([*rows, Bad("dev", "c", "/c", "audio without transcript", "")]), Limits(0.1, 2.0, decode=True))
    with inspectors(1) as workers:
        workers.begin(7, task)
        workers._workers[0].connection.poll(None)  # it says that it is there
        os.kill(workers._workers[0].process.pid or 0, signal.SIGKILL)
        ((number, inspected),) = workers.results(is_waiting=True)
        assert workers.is_idle
        workers.begin(8, task)
        ((_, again),) = workers.results(is_waiting=True)
    assert number == 7
    good, gone, listed = unpack_verdicts(inspected.verdicts or b"")
    assert isinstance(good, Good)
    assert (gone[3], listed[3]) == ("no such file", "audio without transcript")  # type: ignore[index]
    assert again == inspected


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_hostile_corpus_ends_in_a_report(tmp_path: Path) -> None:
    root = tmp_path / "corpus"
    folder = root / "train" / "yes"
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000)
    soundfile.write(folder / "good.wav", noise, 16_000)
    soundfile.write(folder / "two\nlines.wav", noise[:8000], 16_000)
    soundfile.write(folder / "cut.flac", noise, 16_000)
    (folder / "cut.flac").write_bytes((folder / "cut.flac").read_bytes()[:9_000])
    soundfile.write(folder / "studio.wav", noise.repeat(2).reshape(-1, 2), 96_000, subtype="PCM_24")
    (folder / "text.wav").write_text("no audio")
    (folder / "empty.wav").touch()
    (folder / "twin.wav").write_bytes((folder / "good.wav").read_bytes())
    os.mkfifo(folder / "pipe.wav")
    (folder / "loop.wav").symlink_to("loop.wav")
    (folder / "round").symlink_to(root, target_is_directory=True)
    soundfile.write(folder / "latin.wav", noise[:4000], 16_000)
    (folder / "latin.wav").rename(os.fsdecode(os.fsencode(folder) + b"/f\xfcnf.wav"))
    result = run(config(root, tmp_path / "out", corpus="folder", decode=True), ignore)
    lines = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text("utf-8").splitlines()]
    assert {Path(line["audio"]).name: line["reason"] for line in lines} == {
        "cut.flac": "cut short",
        "text.wav": "can't be decoded",
        "empty.wav": "file of 0 bytes",
        "twin.wav": "duplicate audio",
        "pipe.wav": "not a regular file",
        "loop.wav": "no name of a file",
        "f\\xfcnf.wav": "name is not UTF-8",
    }
    assert [each.audio.name for each in read_manifest(tmp_path / "out", "train")] == [
        "good.wav",
        "studio.wav",
        "two\nlines.wav",
    ]
    assert isinstance(result.data["rejected"], dict)
    assert sum(result.data["rejected"].values()) == 7


def test_a_nested_line_is_a_wrong_line(tmp_path: Path) -> None:
    (tmp_path / "manifest.jsonl").write_text('{"audio":' * 200_000 + "\n")
    with pytest.raises(RequestError, match=r"manifest\.jsonl:1: must be JSON"):
        run(config(tmp_path, tmp_path / "out"), ignore)
    assert not (tmp_path / "out").exists()


def test_of_equal_audio_the_tested_one_stays_and_shared_recordings_are_told(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 16_000))
    for name, samples in zip(("a", "b", "c"), noise, strict=True):
        soundfile.write(tmp_path / f"{name}.wav", samples, 16_000)
    soundfile.write(tmp_path / "copy.wav", noise[0], 16_000)
    lines: list[dict[str, object]] = [
        {"audio": "a.wav", "split": "train", "speaker": "x"},
        {"audio": "copy.wav", "split": "test", "speaker": "x"},
        {"audio": "b.wav", "split": "train", "duration": 0.4, "speaker": "y"},
        {"id": "b2", "audio": "b.wav", "split": "test", "start": 0.5, "speaker": "y"},
        {"audio": "c.wav", "split": "dev", "speaker": "z"},
    ]
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    events: list[Event] = []
    result = run(config(tmp_path, tmp_path / "out"), events.append)
    (rejected,) = (json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines())
    assert (rejected["id"], rejected["reason"], rejected["detail"]) == ("a", "duplicate audio", "the same as copy")
    assert result.data["shared"] == {"speakers": 1, "recordings": 1}
    kept = run(config(tmp_path, tmp_path / "kept", keep_duplicates=True), ignore)
    assert kept.data["rejected"] == {}
    notes = [event.text for event in events if isinstance(event, Note)]
    assert "speakers of train who are also heard in dev or test: 1, y" in notes
    assert "recordings with utterances in several splits: 1" in notes


def test_symbols_outside_a_tasks_vocabulary_are_named(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 8_000))
    for name, samples in zip(("a", "b", "c"), noise, strict=True):
        soundfile.write(tmp_path / f"{name}.wav", samples, 16_000)
    texts = {"a": "fine", "b": "naïve", "c": "..."}
    lines = [{"audio": f"{name}.wav", "text": text} for name, text in texts.items()]
    (tmp_path / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    result = run(config(tmp_path, tmp_path / "out", task="asr"), ignore)
    assert result.data["rejected"] == {"outside the vocabulary of asr": 1, "nothing usable in text": 1}
    rejected = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").read_text().splitlines()]
    assert [(line["id"], line["detail"]) for line in rejected] == [("b", "'Ï'"), ("c", "'...'")]


def test_a_task_that_no_training_utterance_has_a_target_for_checks_nothing_and_says_so(
    corpus: Path, tmp_path: Path
) -> None:
    for task, needs in (("pr", "phones"), ("sf", "text and slots"), ("sd", "segments")):
        heard: list[Event] = []
        result = run(config(corpus, tmp_path / task, task=task), heard.append)
        said = f"no training utterance has {needs!r}, which task {task} needs: nothing is checked for it"
        assert Note(said, important=True) in heard
        assert not any("vocabulary" in reason for reason in result.data["rejected"])  # type: ignore[attr-defined]


def test_a_task_whose_targets_have_no_vocabulary_of_their_own_is_refused(corpus: Path, tmp_path: Path) -> None:
    for task in ("sid", "asv", "hubert"):
        with pytest.raises(RequestError, match=f"must be a task with a vocabulary of symbols, got '{task}'"):
            run(config(corpus, tmp_path / "out", task=task), ignore)


def test_hours_in_which_nothing_fits_are_told_from_bad_recordings(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(SpeechftError, match=r"not a single utterance fits into 1e-06 hours") as caught:
        run(config(corpus, tmp_path / "out", hours=1e-6), ignore)
    assert caught.value.hint == "nothing was written; raise prepare.hours"
    assert not (tmp_path / "out").exists()


def test_the_next_command_trains_a_task_that_the_manifests_have_targets_for(corpus: Path, tmp_path: Path) -> None:
    wave = next(corpus.rglob("*.wav"))
    for task, fields in (
        (" --task er", {"emotion": "anger", "speaker": "a"}),
        (" --task ks", {"keyword": "yes"}),
        (" --task ic", {"action": "open", "object": "door", "location": "none"}),
        (" --task sid", {"speaker": "a"}),
        (" --task hubert", {}),
        (" --task pr", {"phones": "Y EH S", "emotion": "anger"}),  # as the wizard proposes
        ("", {"text": "yes", "emotion": "anger"}),
    ):
        lines = [{"audio": str(wave), "duration": 0.2, "split": split, **fields} for split in ("train", "dev")]
        lines[1]["start"] = 0.2
        (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
        result = run(config(tmp_path / "list.jsonl", tmp_path / "out"), ignore)
        assert f"--data {tmp_path / 'out'}{task} --out run" in result.next_command


@pytest.mark.parametrize("split", ["train", "dev"])
def test_what_has_no_train_or_no_dev_is_to_be_divided_next(corpus: Path, tmp_path: Path, split: str) -> None:
    waves = sorted(corpus.rglob("*.wav"))
    lines = [json.dumps({"audio": str(wave), "text": "yes", "split": split}) for wave in waves]
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    result = run(config(tmp_path / "list.jsonl", tmp_path / "out"), ignore)
    command = f"speechft prepare --join {tmp_path}/out --split train=0.8,dev=0.1,test=0.1 --out {tmp_path}/out-divided"
    assert result.next_command == command


def test_many_utterances_are_not_checked_again_when_a_wrong_request_is_mended(corpus: Path, tmp_path: Path) -> None:
    with (tmp_path / "list.jsonl").open("w") as file:
        for number in range(6000):
            line = {"id": f"{number:04}", "audio": str(corpus / "0.wav"), "start": number / 200, "duration": 0.2}
            file.write(json.dumps({**line, "text": "A LONG STORY " * 20}) + "\n")
    wanted = {"split": {"train": 0.9, "dev": 0.1}}
    with pytest.raises(RequestError, match="none has 'emotoin'"):
        run(config(tmp_path / "list.jsonl", tmp_path / "out", stratify="emotoin", **wanted), ignore)
    assert contents(tmp_path / "out") == {}
    heard: list[Event] = []
    run(config(tmp_path / "list.jsonl", tmp_path / "out", **wanted), heard.append)
    assert Note("going on where an earlier run was stopped") in heard
    run(config(tmp_path / "list.jsonl", tmp_path / "whole", **wanted), ignore)
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_strict_writes_nothing_when_anything_is_rejected(corpus: Path, tmp_path: Path) -> None:
    run(config(corpus, tmp_path / "kept"), ignore)
    before = contents(tmp_path / "kept")
    for out in ("kept", "new"):
        with pytest.raises(SpeechftError, match="13 utterances can't be used") as caught:
            run(config(corpus, tmp_path / out, strict=True), ignore)
        assert caught.value.exit_code == 1
    assert not (tmp_path / "new").exists()
    assert contents(tmp_path / "kept") == before
