"""`python -m speechft_cli` and the console script `speechft`."""

from __future__ import annotations

import atexit
import contextlib
import faulthandler
import io
import os
import sys
from typing import TextIO

from speechft_cli.cli import starting


def main() -> None:
    """Runs the command line; leaves with the exit code."""
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="replace")  # a terminal of Latin-1 has no arrow; that is no reason to stop
    # a library that crashes after a night of training leaves the line it was called from in the log, not only a number
    faulthandler.enable()
    starting.begin()  # ended by `conduct`, before a command's work
    # None of our models has a plugin, and whoever looks for one reads the entry points of every package installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # torch's OpenMP threads wait for each other by spinning; beside another busy process that makes the many small
    # products of an LSTM up to 30 times slower. A short spin costs nothing on a quiet machine. Read when torch loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # torch names a folder after the user when the first optimizer is made; in containers users are often but a number
    if not any(os.environ.get(name) for name in ("LOGNAME", "USER", "LNAME", "USERNAME")):
        os.environ["LOGNAME"] = str(os.getuid())
    code = 1  # of a traceback, which no SystemExit announces
    # The first function registered is the last one called: threads have ended by then and files are closed. What is
    # left is taking modules apart, which costs a tenth of a short command, half an import of torch, and serves nobody.
    stdout = sys.stdout
    atexit.register(lambda: _leave(code, stdout))
    try:
        from speechft_cli.cli.app import app

        app(prog_name="speechft")
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise
    except KeyboardInterrupt:  # before there was a command to tell
        code = 130
        sys.stderr.write("interrupted\n")
        raise SystemExit(code) from None
    except OSError as error:
        if not _is_full(error):
            raise
        _say_full(error)
        raise SystemExit(code) from None
    finally:
        sys.stdout = sys.stderr  # the results are out; what libraries say as they end, as some trackers do, is none


def _open_closed_streams() -> None:
    """Gives what was closed (`>&-`) to nobody; else the next file that is opened would hear what is printed."""
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            mode = "w" if descriptor else "r"
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))
            os.set_inheritable(descriptor, True)


def _leave(code: int, stdout: TextIO) -> None:
    try:
        stdout.flush()
    except OSError as error:
        if code == 0 and _is_full(error):
            _say_full(error)
        code = code or 1
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


def _is_full(error: OSError) -> bool:
    from speechft_cli.io.atomic import FULL  # which nobody needs who is well

    return error.errno in FULL


def _say_full(error: OSError) -> None:
    what = error.filename or "what was to be written"
    sys.stderr.write(f"error: {what}: can't be written: {error.strerror}\nhint: check disk space and permissions\n")


if __name__ == "__main__":
    main()
