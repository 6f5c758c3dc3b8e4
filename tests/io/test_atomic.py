"""A reader never sees half a file or half a folder."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import safetensors.torch
import torch

from speechft_cli.errors import SpeechftError
from speechft_cli.io.atomic import (
    UNFINISHED,
    atomic_files,
    atomic_folder,
    atomic_path,
    recover,
    remove_unfinished,
    write_json,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_at_the_end_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "model.jsonl.gz"
    with atomic_path(path) as unfinished:
        assert unfinished.name == path.name  # writers look at suffixes
        unfinished.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(path.parent) == ["model.jsonl.gz"]


def test_an_error_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with contextlib.suppress(KeyboardInterrupt), atomic_path(path) as unfinished:
        unfinished.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


class _Interrupted(io.FileIO):
    """A file while whose second write Ctrl-C arrives."""

    written = 0

    def write(self, data: object) -> int:
        self.written += 1
        if self.written == 2:
            raise KeyboardInterrupt
        return super().write(data)  # type: ignore[arg-type]


def test_ctrl_c_while_torch_writes_is_no_error_of_torch(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), atomic_path(tmp_path / "a.pt") as path, _Interrupted(path, "w") as file:
        torch.save({"weight": torch.zeros(10_000)}, file)
    assert names(tmp_path) == []


def test_a_folder_appears_whole_at_the_end_of_the_block(tmp_path: Path) -> None:
    path = tmp_path / "alpha-0.5"
    with atomic_folder(path) as unfinished:
        (unfinished / "one").write_text("1")
        (unfinished / "sub").mkdir()
        (unfinished / "sub" / "two").write_text("2")
        assert not path.exists()
    assert (path / "one").read_text() == "1"
    assert (path / "sub" / "two").read_text() == "2"
    assert names(tmp_path) == ["alpha-0.5"]


@pytest.mark.parametrize(("umask", "rights"), [(0o022, 0o755), (0o002, 0o775), (0o077, 0o700)])
def test_a_folder_has_the_rights_that_its_owner_gives_to_folders(tmp_path: Path, umask: int, rights: int) -> None:
    before = os.umask(umask)
    try:
        with atomic_folder(tmp_path / "alpha-0.5") as unfinished:
            (unfinished / "one").write_text("1")
    finally:
        os.umask(before)
    assert (tmp_path / "alpha-0.5").stat().st_mode & 0o777 == rights


@pytest.mark.parametrize(("umask", "rights"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_a_file_has_the_rights_that_its_owner_gives_to_files_whoever_wrote_it(
    tmp_path: Path, umask: int, rights: int
) -> None:
    before = os.umask(umask)
    try:
        with atomic_path(tmp_path / "features.safetensors") as unfinished:
            safetensors.torch.save_file({"features": torch.zeros(2)}, unfinished)
    finally:
        os.umask(before)
    assert (tmp_path / "features.safetensors").stat().st_mode & 0o777 == rights


def test_a_folder_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "best"
    path.mkdir()
    (path / "old").write_text("old")
    with atomic_folder(path) as unfinished:
        (unfinished / "new").write_text("new")
    assert names(path) == ["new"]
    assert names(tmp_path) == ["best"]


def test_an_error_leaves_the_old_folder_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "best"
    path.mkdir()
    (path / "old").write_text("old")
    with contextlib.suppress(RuntimeError), atomic_folder(path) as unfinished:
        (unfinished / "new").write_text("half")
        raise RuntimeError
    assert names(path) == ["old"]
    assert names(tmp_path) == ["best"]


def test_files_and_folders_take_their_places_beside_what_stays(tmp_path: Path) -> None:
    write_text(tmp_path / "mine", "mine")
    for left in (UNFINISHED, ".hf.hf.old"):  # by kills: half written, and moved aside for a new one that never came
        (tmp_path / left).mkdir()
        write_text(tmp_path / left / "old", "old")
    for turn in ("first", "second"):
        with atomic_files(tmp_path, first="record") as unfinished:
            (unfinished / "hf").mkdir()
            for name in (f"hf/{turn}", "record"):
                (unfinished / name).write_text(turn)
        assert names(tmp_path) == ["hf", "mine", "record"]
        assert names(tmp_path / "hf") == [turn]
        assert (tmp_path / "record").read_text() == turn
    with contextlib.suppress(RuntimeError), atomic_files(tmp_path, first="record") as unfinished:
        (unfinished / "record").write_text("half")
        raise RuntimeError
    assert names(tmp_path) == ["hf", "mine", "record"]
    assert (tmp_path / "record").read_text() == "second"


def test_a_kill_in_mid_write_leaves_nothing_under_the_name(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from speechft_cli.io.atomic import atomic_folder\n"
        "with atomic_folder(Path(sys.argv[1]) / 'best') as f:\n"
        "    (f / 'half').write_text('x'); print('writing', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "best").exists()
    assert all(name.startswith(".best.") for name in names(tmp_path))


def test_a_place_that_is_no_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for write in (atomic_path, atomic_folder):
        with (
            pytest.raises(SpeechftError, match=r"file/sub/x: can't be written"),
            write(tmp_path / "file" / "sub" / "x"),
        ):
            pass


def test_a_full_disk_is_named_and_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "big.txt"
    path.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # a write past it fails as on a full disk
    try:
        with pytest.raises(SpeechftError, match=r"big\.txt: can't be written") as caught:
            write_text(path, "x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.exit_code == 1
    assert "disk space" in caught.value.hint
    assert path.read_text() == "old"
    assert names(tmp_path) == ["big.txt"]


def test_too_many_open_files_are_no_matter_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(SpeechftError, match="Too many open files") as caught, atomic_path(tmp_path / "x"):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
    assert caught.value.hint == "ulimit -n shows and raises the limit"


def test_json_is_indented_utf8_with_paths_and_decimals_as_text(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"path": Path("/x"), "alpha": Decimal("0.3"), "name": "α"})
    text = (tmp_path / "a.json").read_bytes().decode("utf-8")
    assert json.loads(text) == {"path": "/x", "alpha": "0.3", "name": "α"}
    assert "α" in text
    assert text.endswith("}\n")


def test_readers_beside_a_writer_see_the_old_or_the_new_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "0" * 100_000)
    code = (
        "import sys; from pathlib import Path; from speechft_cli.io.atomic import write_text\n"
        "for n in range(1, 200): write_text(Path(sys.argv[1]), str(n % 10) * 100_000)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)]) as process:
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            text = path.read_text()
            assert len(text) == 100_000
            assert len(set(text)) == 1
        assert process.wait() == 0


def test_an_interruption_between_the_two_renames_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "last"
    with atomic_folder(path) as unfinished:
        (unfinished / "a").write_text("old")
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if Path(target) == path and not self.name.endswith(".old"):
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_folder(path) as unfinished:
        (unfinished / "a").write_text("new")

    assert [each.name for each in tmp_path.iterdir()] == ["last"]
    assert (path / "a").read_text() == "old"


@pytest.mark.parametrize("clean_up", [recover, remove_unfinished])
@pytest.mark.parametrize("name", ["last", "alpha [1]*"])
def test_a_folder_that_a_kill_left_aside_comes_back(
    tmp_path: Path, name: str, clean_up: Callable[[Path], None]
) -> None:
    aside = tmp_path / f".{name}.x1y2z3.old"
    aside.mkdir()
    (aside / "a").write_text("old")
    clean_up(tmp_path / name)

    assert (tmp_path / name / "a").read_text() == "old"
    assert not aside.exists()


def test_what_a_kill_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".last.x1y2z3").mkdir()
    (tmp_path / ".last.x1y2z3" / "encoder.pt").write_text("half")
    (tmp_path / ".lasting").mkdir()
    remove_unfinished(tmp_path / "last")

    assert [each.name for each in tmp_path.iterdir()] == [".lasting"]


_LIBRARIES = """
import subprocess, sys
from pathlib import Path
import numpy, soundfile, torch
from safetensors.torch import save_file
from speechft_cli.errors import SpeechftError
from speechft_cli.io.atomic import atomic_path

folder = Path(sys.argv[1])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], check=True)
much = torch.rand(1_000_000)
writers = {
    "a.pt": lambda path: torch.save(much, path),
    "a.npy": lambda path: numpy.save(path, much.numpy()),
    "a.flac": lambda path: soundfile.write(path, much.numpy(), 16_000),
    "a.safetensors": lambda path: save_file({"much": much}, path),
    "a.txt": lambda path: path.write_text("x" * 1_000_000),
}
for name, write in writers.items():
    try:
        with atomic_path(folder / name) as path:
            write(path)
    except SpeechftError as error:
        print(error.message.replace(f"{folder}/", ""))
print(sorted(folder.iterdir()))
"""


def test_every_library_that_meets_a_full_disk_is_said_to_have_met_one(tmp_path: Path) -> None:
    alone = ["unshare", "--user", "--map-root-user", "--mount"]
    can = shutil.which("unshare") and subprocess.run([*alone, "mount", "-t", "tmpfs", "tmpfs", tmp_path], check=False)
    if not can or can.returncode:
        pytest.skip("needs namespaces of one's own, for a small disk")
    command = [*alone, sys.executable, "-c", _LIBRARIES, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    names = ["a.pt", "a.npy", "a.flac", "a.safetensors", "a.txt"]
    lines = [f"{name}: can't be written: No space left on device" for name in names]
    assert result.stdout.splitlines() == [*lines, "[]"], result.stderr


_LIMITED = """
import resource, signal, sys
from pathlib import Path
import torch
from speechft_cli.errors import SpeechftError
from speechft_cli.io.atomic import atomic_path
from speechft_cli.io.checkpoints import save_checkpoint

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with atomic_path(Path(sys.argv[1]) / "state.pt") as path:
        save_checkpoint({"much": torch.rand(1_000_000)}, path)
except SpeechftError as error:
    print(error.message.replace(f"{sys.argv[1]}/", ""))
"""


def test_a_limit_that_torch_meets_is_said_as_the_system_says_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _LIMITED, str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.stdout == "state.pt: can't be written: File too large\n", result.stderr
    assert names(tmp_path) == []


def test_what_else_goes_wrong_while_a_file_is_written_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_path(tmp_path / "a.txt"):
        raise ZeroDivisionError
    assert names(tmp_path) == []
