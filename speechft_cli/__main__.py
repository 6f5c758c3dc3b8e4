"""`python -m speechft_cli` and the console script `speechft`."""

from __future__ import annotations

import atexit
import gc
import os
import sys


def main() -> None:
    """Runs the command line; leaves with the exit code."""
    # What is made while starting stays until the end, so looking for garbage in it is a fifth of the time to the first
    # line. `conduct` looks again, before a command's work.
    gc.disable()
    # None of our models has a plugin, and whoever looks for one reads the entry points of every package installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # torch's OpenMP threads wait for each other by spinning; beside another busy process that makes the many small
    # products of an LSTM up to 30 times slower. A short spin costs nothing on a quiet machine. Read when torch loads.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    code = 1  # of a traceback, which no SystemExit announces
    # The first function registered is the last one called: threads have ended by then and files are closed. What is
    # left is taking modules apart, which costs a tenth of a short command, half an import of torch, and serves nobody.
    atexit.register(lambda: _leave(code))
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


def _leave(code: int) -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # as after `>&-`
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
