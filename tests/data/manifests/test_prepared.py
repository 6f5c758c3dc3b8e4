import errno
from pathlib import Path

import pytest

from speechft_cli.data.manifests.prepared import staging
from speechft_cli.errors import SpeechftError
from speechft_cli.io.atomic import atomic_path


def test_a_disk_that_gets_full_is_the_one_of_the_folder_wherever_it_is_noticed(tmp_path: Path) -> None:
    with (
        pytest.raises(SpeechftError, match=rf"^{tmp_path}: can't be written: .*No space left") as caught,
        staging(tmp_path) as unfinished,
        atomic_path(unfinished / "cuts-train.jsonl.gz"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.hint == "check the disk space and permissions; the same command goes on from here"
    assert list(tmp_path.iterdir()) == []


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(SpeechftError, match=r"a\.wav: can't be read as audio"), staging(tmp_path):
        raise SpeechftError("a.wav: can't be read as audio") from OSError(errno.EIO, "Input/output error")
