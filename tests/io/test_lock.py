from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from speechft_cli.errors import RequestError
from speechft_cli.events import Event, Note, ignore
from speechft_cli.io.lock import in_turn, locked


def test_a_folder_in_use_names_the_process(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from pathlib import Path; from speechft_cli.io.lock import locked\n"
            "with locked(Path(sys.argv[1]), print): print('held', flush=True); sys.stdin.read()",
            str(tmp_path),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(RequestError, match=f"is in use by process {holder.pid}"), locked(tmp_path, ignore):
        pass
    holder.kill()
    holder.communicate()
    with locked(tmp_path, ignore):  # a lock goes with its process, however that ended
        pass


def test_who_waits_for_a_turn_gets_it_when_the_holder_is_done(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from speechft_cli.io.lock import in_turn\n"
            "with in_turn(Path(sys.argv[1]), print, other=''):\n"
            "    print('held', flush=True); time.sleep(0.5); Path(sys.argv[1], 'done').touch()",
            str(tmp_path),
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with in_turn(tmp_path, ignore, other=""):
        assert (tmp_path / "done").exists()
    holder.communicate()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RequestError, match="must be a folder that can be written to"), locked(place, ignore):
            pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_of_and_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def without_locks(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "lockf", without_locks)
    events: list[Event] = []
    with locked(tmp_path / "run", events.append):
        assert (tmp_path / "run").is_dir()
    assert events == [
        Note(
            f"{tmp_path / 'run'}: can't be locked ({os.strerror(number)}); make sure that nothing else writes there",
            important=True,
        )
    ]
