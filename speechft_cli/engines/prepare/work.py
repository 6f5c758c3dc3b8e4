"""The folder a corpus is checked in: it survives an interruption and nothing else."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from speechft_cli.data.manifests.prepared import WORK, left_staging, not_written
from speechft_cli.engines.prepare.verdict import UnusableCorpusError
from speechft_cli.errors import RequestError
from speechft_cli.events import Report, ignore
from speechft_cli.io.lock import locked

JOURNAL = "journal"
_WORTH_KEEPING = 1 << 20  # bytes of the journal: thousands of utterances


@contextlib.contextmanager
def work_folder(out: Path, report: Report) -> Iterator[Path]:
    """Gives a folder that survives an interruption and nothing else, under the lock of the manifest folder."""
    was_there = out.exists()
    work = out / WORK
    with locked(out, report):
        try:
            work.mkdir(exist_ok=True)
            yield work
        except (RequestError, UnusableCorpusError):
            if not _is_worth_keeping(work):
                shutil.rmtree(work if was_there else out, ignore_errors=True)
            raise
        except OSError as error:
            raise not_written(out, error) from error
        shutil.rmtree(work, ignore_errors=True)


def _is_worth_keeping(work: Path) -> bool:
    """Whether so much has been checked that it should be kept while the request or a recording is mended."""
    journal = work / JOURNAL
    return journal.is_file() and journal.stat().st_size > _WORTH_KEEPING


def tidy(out: Path) -> None:
    """Removes what a run has left that was killed when all was done; who only reads the manifests may leave it."""
    if (out / WORK).exists() or any(left_staging(out)):
        with contextlib.suppress(RequestError), locked(out, ignore):
            for left in (out / WORK, *left_staging(out)):
                shutil.rmtree(left, ignore_errors=True)
