"""The app as a whole: help, exit codes, the error boundary."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechft_cli import __version__
from speechft_cli.cli.app import app, imported_command
from speechft_cli.cli.commands import COMMANDS
from speechft_cli.errors import ConfigError, InterruptedRunError, SpeechftError

HELP = """\
Usage: speechft [OPTIONS] COMMAND [ARGS]...

  Make a speech encoder better, not narrower: fine-tune stably, merge, probe.

Options:
  --version             Print the version.
  -v, --verbose         Show details, and what other libraries log and warn.
  -q, --quiet           Show results and errors only.
  --no-color            No colours; the variable NO_COLOR does the same.
  --install-completion  Install completion for the current shell.
  --show-completion     Show completion for the current shell, to copy it or
                        customize the installation.
  --help                Show this message and exit.

Commands:
  init          Ask a few questions and write a commented YAML file.
  import-s3prl  Turn a config of s3prl into a commented YAML file.
  prepare       Turn a corpus on disk into manifests.
  finetune      Fine-tune an encoder stably on one task, or on several.
  merge         Interpolate a fine-tuned encoder back toward its base.
  evaluate      Score frozen encoders on tasks and write a report.
  convert       Write an encoder in other formats, its features compared.
  extract       Write an encoder's features of every layer.
  demo          Run the whole job in minutes, on synthetic speech.
  doctor        Say what works on this machine and how to mend the rest.
  list          Show the names a config may use, or all there is of one.
  data          Look at manifests.
  config        Show, check and describe config files.
"""


@pytest.mark.parametrize(
    "command",
    [
        "prepare emodb --root {path} --out out",
        "prepare folder --root . --out {path}",
        "prepare --join {path} --out out",
        "data stats {path}",
        "data show {path}",
        "finetune --encoder {path} --data {path} --out run",
        "merge --base {path} --tuned {path} --out merged",
        "evaluate --model {path} --task asr --data {path} --out out",
        "extract {path} {path} --out out",
        "convert {path} --format hf --out out",
        "config validate {path}",
    ],
)
def test_a_path_that_can_not_even_be_asked_for_is_named_without_a_traceback(
    speechft, tmp_path: Path, command: str
) -> None:
    (tmp_path / "yes").mkdir()
    soundfile.write(tmp_path / "yes" / "a.wav", np.zeros(16_000), 16_000)
    path = tmp_path / ("x" * 300)
    result = speechft(*command.format(path=path).split())
    assert result.exit_code in (1, 2)
    assert isinstance(result.exception, SystemExit)
    assert "x" * 300 in "".join(result.stderr.split())


def test_help_fits_the_screen(speechft) -> None:
    result = speechft("--help")
    assert (result.exit_code, result.stdout, result.stderr) == (0, HELP, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_that_fits_the_screen(speechft, command: str) -> None:
    result = speechft(command, "--help")
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "..." not in result.stdout.replace("[ARGS]...", "")


def test_the_summary_of_a_command_is_how_its_own_help_begins() -> None:
    begins = {name: imported_command(name).get_short_help_str(80) for name in COMMANDS}
    assert begins == {name: summary for name, (_, summary) in COMMANDS.items()}


def test_the_version_is_printed(speechft) -> None:
    assert speechft("--version").stdout == f"speechft {__version__}\n"


@pytest.mark.parametrize(
    "typed", ["doctor", "data stats d", "init --defaults", "extract e a --out o", "merge --diff a b"]
)
def test_a_folder_that_was_deleted_is_left(speechft, tmp_path: Path, monkeypatch, typed: str) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    result = speechft(*typed.split())
    said = "error: the working directory must be there, but was deleted\nhint: cd somewhere else\n"
    assert (result.exit_code, result.stdout, result.stderr) == (2, "", said)


def test_every_wrong_flag_is_told(speechft) -> None:
    result = speechft("finetune", "--data", "d", "--init", "random", "--steps", "0", "--seed", "-1")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "error: flag: finetune.steps: must be greater than 0, got 0\n"
        "error: flag: seed: must be greater than or equal to 0, got -1\n"
        "hint: speechft config schema shows every key\n"
    )


NO_MORE = "error: processes and threads: no more can be started: "
FEWER = "hint: ulimit -u says how many a user may have; fewer workers need fewer\n"


@pytest.fixture
def raising():
    """Adds a command that raises what it is given, for the time of a test."""
    raised: list[BaseException] = []

    @app.command("raise", hidden=True)
    def _raise() -> None:
        raise raised[0]

    yield raised.append
    app.registered_commands.pop()


@pytest.mark.parametrize(
    ("error", "code", "stderr"),
    [
        (SpeechftError("disk [x] :smile: full", "free some"), 1, "error: disk [x] :smile: full\nhint: free some\n"),
        (ConfigError(["a: one", "b: two"]), 2, "error: a: one\nerror: b: two\n"),
        (
            InterruptedRunError("stopped", "--resume goes on", exit_code=143),
            143,
            "stopped: stopped\nhint: --resume goes on\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (BlockingIOError(errno.EAGAIN, "try later"), 1, f"{NO_MORE}[Errno {errno.EAGAIN}] try later\n{FEWER}"),
        (RuntimeError("can't start new thread"), 1, f"{NO_MORE}can't start new thread\n{FEWER}"),
    ],
)
def test_an_error_becomes_a_message_and_a_code(speechft, raising, error: BaseException, code: int, stderr: str) -> None:
    raising(error)
    result = speechft("raise")
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", stderr)


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("ours"), RuntimeError("ours"), ImportError("ours", name="speechft_cli.ours")]
)
def test_a_bug_of_ours_keeps_its_traceback(speechft, raising, error: Exception) -> None:
    raising(error)
    result = speechft("raise")
    assert result.exit_code == 1
    assert result.exception is error


def _python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], ["torch", "s3prl", "pydantic", "rich", "questionary", "yaml", "speechft_cli.cli.commands.init"]),
        (["finetune", "--help"], ["torch", "torchaudio", "s3prl", "lhotse"]),
        (["list"], ["torch", "torchaudio", "s3prl", "lhotse", "rich", "speechft_cli.cli.commands.merge"]),
        (["config", "schema"], ["torch", "torchaudio", "s3prl", "lhotse"]),
        (["init", "--defaults"], ["torch", "torchaudio", "s3prl", "lhotse"]),
    ],
)
def test_what_needs_no_torch_imports_none(arguments: list[str], heavy: list[str]) -> None:
    result = _python(
        "import sys\n"
        "from speechft_cli.cli.app import app\n"
        "try:\n"
        f"    app({arguments!r})\n"
        "except SystemExit as end:\n"
        f"    print(end.code, *(name for name in {heavy!r} if name in sys.modules), file=sys.stderr)\n"
    )
    assert result.stderr == "0\n"


def test_the_package_runs_as_a_module() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "speechft_cli", "--help"], capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, HELP, "")


def test_the_console_script_is_installed() -> None:
    script = Path(sys.executable).with_name("speechft")
    result = subprocess.run([script, "merge", "-c", "none.yaml"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("error: none.yaml: must be a file")


def _ended_by(action: str) -> subprocess.CompletedProcess[str]:
    """Runs the console script, to which something happens while it reads its command."""
    code = f"""
import os, signal, sys
from speechft_cli.__main__ import main

class Happens:
    def find_spec(self, name, path=None, target=None):
        if name == "speechft_cli.cli.app":
            {action}

sys.meta_path.insert(0, Happens())
main()
"""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_ctrl_c_before_the_command_is_read_is_no_traceback() -> None:
    result = _ended_by("raise KeyboardInterrupt")
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "interrupted\n")


def test_ctrl_c_while_a_library_is_imported_is_no_fault_of_the_library(manifests: Path, tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(
        "import os, signal\n"
        "try:\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "except KeyboardInterrupt:\n"
        '    raise ImportError("numpy.core.multiarray failed to import") from None\n'
    )
    result = subprocess.run(
        [sys.executable, "-m", "speechft_cli", "finetune", "--encoder", "hubert-small", "--data", str(manifests)],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "interrupted\n")


def test_what_a_library_says_as_it_ends_is_no_result() -> None:
    result = _ended_by('import atexit; atexit.register(print, "see your runs"); sys.argv = ["speechft", "--version"]')
    assert (result.returncode, result.stdout, result.stderr) == (0, f"speechft {__version__}\n", "see your runs\n")


def test_a_crash_in_c_code_says_where_it_was_called_from() -> None:
    result = _ended_by("os.kill(os.getpid(), signal.SIGSEGV)")
    assert result.returncode == -signal.SIGSEGV
    assert result.stderr.startswith("Fatal Python error: Segmentation fault\n")
    assert " in find_spec\n" in result.stderr


@pytest.mark.parametrize(
    ("library", "raised", "typed"),
    [
        (
            "torch",
            'OSError("libcudart.so.12: cannot open shared object file")',
            "extract hubert-small {data} --out out",
        ),
        ("torchaudio", 'RuntimeError("operator x does not exist")', "finetune --encoder hubert-small --data {data}"),
        ("matplotlib", 'ModuleNotFoundError("No module named", name="matplotlib")', "data stats {data} --png out.png"),
    ],
)
def test_a_library_that_can_not_be_imported_is_told_with_who_helps(
    manifests: Path, tmp_path: Path, library: str, raised: str, typed: str
) -> None:
    (tmp_path / f"{library}.py").write_text(f"raise {raised}\n")
    result = subprocess.run(
        [sys.executable, "-m", "speechft_cli", *typed.format(data=manifests).split()],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert result.returncode == 1
    assert result.stderr.endswith(
        f"error: {library}: can't be imported: {raised.split(chr(34))[1]}\n"
        "hint: speechft doctor says what is wrong, and how to mend it\n"
    )


def test_a_user_who_is_but_a_number_can_train(manifests: Path) -> None:
    nobody = "import pwd\ndef nobody(uid): raise KeyError(uid)\npwd.getpwuid = nobody\n"
    typed = ["finetune", "--data", manifests, "--task", "sid", "--init", "random", "--size", "tiny", "--dry-run"]
    result = subprocess.run(
        [sys.executable, "-c", f"{nobody}from speechft_cli.__main__ import main\nmain()", *map(str, typed)],
        env={key: value for key, value in os.environ.items() if key not in ("LOGNAME", "USER", "LNAME", "USERNAME")},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert "planned; nothing was written" in result.stdout


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("list methods linear", "?0 + ? · mean_k(?'_k ? ?0)"),  # θ0 + α · mean_k(θ'_k − θ0)
        ("data stats {manifests}", "split  utterances"),
        ("convert {tiny} --format safetensors --out Ж", "encoder converted: hubert from s3prl to safetensors ? ?"),
    ],
)
def test_what_a_terminal_of_latin_1_lacks_stops_nothing(
    tiny_file: Path, manifests: Path, tmp_path: Path, typed: str, expected: str
) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "speechft_cli", *typed.format(manifests=manifests, tiny=tiny_file).split()],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        encoding="latin-1",
        cwd=tmp_path,
    )
    assert result.returncode == 0
    assert expected in result.stdout


def test_a_document_is_json_in_every_encoding(tiny_file: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "speechft_cli",
            "convert",
            tiny_file,
            "--format",
            "safetensors",
            "--out",
            "Жé",
            "--json",
        ],
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        cwd=tmp_path,
    )
    assert json.loads(result.stdout)["folder"] == f"{tmp_path}/Жé"


@pytest.mark.parametrize(
    ("where", "typed"), [("here", b"convert {tiny} --format hf --out caf\xe9"), ("caf\udce9", b"doctor")]
)
def test_a_name_that_is_no_text_is_refused_before_anything_is_done(
    speechft, tiny_file: Path, tmp_path: Path, monkeypatch, where: str, typed: bytes
) -> None:
    (tmp_path / where).mkdir()
    monkeypatch.chdir(tmp_path / where)
    result = speechft(*os.fsdecode(typed).replace("{tiny}", str(tiny_file)).split())
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.endswith("caf\\xe9: must be text in UTF-8, is something else\nhint: rename it\n")


def test_a_python_that_reads_names_as_ascii_says_so(tiny_file: Path, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "speechft_cli", "convert", tiny_file, "--format", "hf", "--out", "é"],
        env={**os.environ, "PYTHONUTF8": "0", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "error: \\xe9: must be text in ASCII, is something else\nhint: unset PYTHONUTF8, or export LC_ALL=C.UTF-8\n"
    )


FULL = (
    "error: what was to be written: can't be written: No space left on device\nhint: check disk space and permissions\n"
)
NO_TERMINAL = (
    "error: init: must have a terminal to ask its questions on, got none\n"
    "hint: speechft init --defaults, --answers FILE, or --template NAME\n"
)


@pytest.mark.parametrize(
    ("typed", "code", "stdout", "stderr"),
    [
        ('"$@" list >&-', 0, "", ""),
        ('"$@" list 2>&- | head -n 1', 0, "encoders\n", ""),
        ('"$@" list methods --json | true', 0, "", ""),
        ('"$@" config show | head -n 1', 0, "name: speechft  # default\n", ""),
        ('"$@" init <&-', 2, "", NO_TERMINAL),
        ('"$@" init --defaults >&- 2>&- <&-; head -c 9 speechft.yaml', 0, "# yaml-la", ""),
        ('"$@" list > /dev/full', 1, "", FULL),
        ('"$@" --help > /dev/full', 1, "", FULL),
        ('"$@" --version > /dev/full', 1, "", FULL),
        ('"$@" finetune 2> /dev/full', 2, "", ""),
    ],
)
def test_streams_that_are_closed_or_full_end_in_no_traceback(typed: str, code: int, stdout: str, stderr: str) -> None:
    command = ["sh", "-c", typed, "sh", sys.executable, "-m", "speechft_cli"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (code, stdout, stderr)
