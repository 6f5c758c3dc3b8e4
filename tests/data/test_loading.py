from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

import pytest
import torch

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.batches import Position, Source, plan_updates
from speechft_cli.data.loading import load_updates
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.errors import SpeechftError


@pytest.mark.parametrize("workers", [0, 2])
def test_what_is_read_is_what_was_planned(manifests: Path, workers: int) -> None:
    utterances = read_manifest(manifests, "train")
    sources = [Source(utterances, batch_seconds=3.0, crop_seconds=1.1)]
    plan = partial(plan_updates, sources, seed=1, step=0, positions=[Position()], batches_per_update=2)
    for planned, batches in islice(load_updates(sources, plan, workers=workers), 9):
        assert [batch.pieces for batch in batches] == list(planned.batches)
        for batch in batches:
            for piece, waveform in zip(batch.pieces, batch.waveforms, strict=True):
                whole = read_waveform(utterances[piece.utterance])
                assert torch.equal(waveform, whole[piece.start : piece.start + piece.length])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_recording_that_has_gone_is_named(tmp_path: Path, workers: int) -> None:
    gone = Utterance("x", tmp_path / "gone.wav", duration=1.0, sample_rate=16_000)
    sources = [Source(Utterances.of([gone]), batch_seconds=5)]
    plan = partial(plan_updates, sources, seed=0, step=0, positions=[Position()])
    with pytest.raises(SpeechftError, match=r"gone\.wav: must be a recording, but there is no such file"):
        next(load_updates(sources, plan, workers=workers))


_READS_MUCH = """
import resource
import sys
from functools import partial
from pathlib import Path

from speechft_cli.data.batches import Position, Source, plan_updates
from speechft_cli.data.loading import load_updates
from speechft_cli.data.manifests.folder import read_manifest

resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
sources = [Source(read_manifest(Path(sys.argv[1]), "train"), batch_seconds=3.0)]
plan = partial(plan_updates, sources, seed=1, step=0, positions=[Position()], batches_per_update=100)
print(len(next(load_updates(sources, plan, workers=2))[1]))
"""


def test_an_update_may_have_more_batches_than_a_shell_allows_open_files(manifests: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", _READS_MUCH, str(manifests)], capture_output=True, text=True, timeout=60
    )
    assert (result.returncode, result.stdout) == (0, "100\n"), result.stderr


_READS = """
import multiprocessing
import sys
from functools import partial
from pathlib import Path

from speechft_cli.data.batches import Position, Source, plan_updates
from speechft_cli.data.loading import load_updates
from speechft_cli.data.manifests.folder import read_manifest

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    sources = [Source(read_manifest(Path(sys.argv[1]), "train"), batch_seconds=3.0)]
    plan = partial(plan_updates, sources, seed=1, step=0, positions=[Position()])
    for _ in load_updates(sources, plan, workers=2):
        print("read", flush=True)
"""


@pytest.mark.parametrize("when", ["while they start", "while they read"])
def test_readers_end_with_a_main_process_that_is_killed(manifests: Path, tmp_path: Path, when: str) -> None:
    script = tmp_path / "read.py"
    script.write_text(_READS, encoding="utf-8")
    main = subprocess.Popen(
        [sys.executable, str(script), str(manifests)], stdout=subprocess.PIPE, start_new_session=True
    )
    assert main.stdout is not None
    if when == "while they read":
        assert main.stdout.readline() == b"read\n"
    else:
        _until(lambda: len(_group(main.pid)) == 4)  # with the tracker of shared memory
    main.send_signal(signal.SIGKILL)
    main.wait()
    main.stdout.close()
    _until(lambda: not _group(main.pid))


def _group(leader: int) -> list[int]:
    """The living processes of a group."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, _, group = (folder / "stat").read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has ended
            continue
        if int(group) == leader and state not in "ZX":
            found.append(int(folder.name))
    return found


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
