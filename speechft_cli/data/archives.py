"""The corpora that anybody may fetch: their archives, downloaded and unpacked to where the readers look."""

from __future__ import annotations

import contextlib
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from speechft_cli.errors import RequestError, SpeechftError, amount
from speechft_cli.events import Advanced, Finished, Note, Report, Started
from speechft_cli.io.download import fetch
from speechft_cli.io.lock import locked

_WORKSHOP = ".download"  # beside the corpus: what is under way
_REPORT_EVERY = 500  # files


@dataclass(frozen=True)
class Archive:
    """One archive of a corpus.

    Attributes:
        url: Where it is; nobody asks for an account there.
        gives: What it leaves, relative to the root: `LibriSpeech/dev-clean`. An archive without that folder is
            unpacked into one of this name.
        sha256: Of the archive; empty when nobody published one.
        part: The part of the corpus that it is; empty when it is all of it.
        is_default: Whether it is fetched when nobody says which parts are wanted.
    """

    url: str
    gives: str
    sha256: str = ""
    part: str = ""
    is_default: bool = True

    @property
    def name(self) -> str:
        """The name of the file."""
        return self.url.rpartition("/")[2]


def obtain(archives: Collection[Archive], root: Path, *, parts: Collection[str], page: str, report: Report) -> None:
    """Fetches and unpacks what is not there yet.

    A folder appears whole or not at all. What has come stays until it is unpacked: a run that was broken off goes on.

    Args:
        archives: All that the corpus has.
        root: Where the corpus is to lie; it may itself be the top folder that the archives have.
        parts: The wanted ones; empty for the default.
        page: Where a person gets the corpus.
        report: Hears of the progress.

    Raises:
        RequestError: There is nothing that could be fetched, or a wanted part is none of the corpus's.
        SpeechftError: It can't be fetched, is damaged, or does not fit on the disk.
    """
    if not archives and page:
        raise RequestError(
            "prepare.download: must be off for this corpus, which needs an account, a form or a program of its own",
            f"get it from {page}, unpack it and name its folder with --root",
        )
    if not archives:
        raise RequestError(
            "prepare.download: must be off for what is made here or yours already", "leave --download out"
        )
    known = {archive.part for archive in archives if archive.part}
    if known and (unknown := sorted(set(parts) - known)):
        raise RequestError(
            f"prepare.splits: must name parts among {', '.join(sorted(known))}, got {', '.join(unknown)}"
        )
    wanted = [each for each in archives if (each.part in parts if parts and known else each.is_default)]
    for archive in wanted:
        home = root.parent if root.name == Path(archive.gives).parts[0] else root
        if (home / archive.gives).exists():
            report(Note(f"{home / archive.gives}: is there already"))
            continue
        workshop = home / _WORKSHOP
        with locked(workshop, report, leave_nothing=True, other="--root names another"):
            fetch(
                archive.url,
                workshop / archive.name,
                sha256=archive.sha256,
                report=report,
                by_hand=f"; or get it from {page} and unpack it in {home}",
            )
            if not archive.sha256:
                report(Note(f"{archive.name}: nobody published a checksum; its length and its files' are checked"))
            with _unpacked(workshop / archive.name, report) as folder:
                _move(folder, home, archive.gives)
            (workshop / archive.name).unlink()


@contextlib.contextmanager
def _unpacked(path: Path, report: Report) -> Iterator[Path]:
    """Gives a folder with the content of an archive, which is gone after the block."""
    folder = path.with_name(f"{path.name}.unpacked")
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was broken off
    report(Started(f"unpacking {path.name}", None, "files"))
    try:
        folder.mkdir()
        count = _unzip(path, folder, report) if zipfile.is_zipfile(path) else _untar(path, folder, report)
        report(Finished(amount(count, "files")))
        yield folder
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        path.unlink(missing_ok=True)
        raise SpeechftError(
            f"{path}: must be a whole archive, can't be unpacked: {str(error).partition(chr(10))[0].rstrip(':')}",
            "it was thrown away; try again",
        ) from error
    except OSError as error:
        raise SpeechftError(
            f"{path}: can't be unpacked: {error}", "check the disk space and the permissions"
        ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unzip(path: Path, folder: Path, report: Report) -> int:
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        for count, member in enumerate(members, start=1):
            archive.extract(member, folder)  # leaves out `..` and checks each file's CRC
            if count % _REPORT_EVERY == 0:
                report(Advanced(count))
    return len(members)


def _untar(path: Path, folder: Path, report: Report) -> int:
    count = 0
    with tarfile.open(path, "r:*") as archive:
        for member in archive:
            archive.extract(member, folder, filter="data")  # nothing outside the folder, no devices
            count += 1
            if count % _REPORT_EVERY == 0:
                report(Advanced(count))
    return count


def _move(unpacked: Path, home: Path, gives: str) -> None:
    """Moves what an archive holds to where it belongs; last what shows that all is there."""
    if not (unpacked / gives).exists():
        tops = list(unpacked.iterdir())
        is_named_alike = len(tops) == 1 and tops[0].name.startswith(Path(gives).name)  # with a version behind it
        source = tops[0] if is_named_alike else unpacked
        (home / gives).parent.mkdir(parents=True, exist_ok=True)
        source.rename(home / gives)
        return
    above = [parent for parent in Path(gives).parents if parent != Path()]
    for folder in reversed(above):  # from the outermost in: LibriSpeech has its lists beside its parts
        (home / folder).mkdir(exist_ok=True)
        for each in sorted((unpacked / folder).iterdir()):
            is_on_the_way = each.relative_to(unpacked) in (Path(gives), *above)
            if not is_on_the_way and not (home / folder / each.name).exists():
                each.rename(home / folder / each.name)
    (unpacked / gives).rename(home / gives)
