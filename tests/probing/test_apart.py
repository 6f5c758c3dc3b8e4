from pathlib import Path

import pytest

from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import RequestError
from speechft_cli.probing.apart import require_apart

WHOLE = Utterance("a", Path("x.wav"), start=0.0, duration=2.0)


@pytest.mark.parametrize(
    "other",
    [
        WHOLE,
        Utterance("under another name", Path("x.wav"), start=0.0, duration=2.0),
        Utterance("a part of it", Path("x.wav"), start=1.0, duration=5.0),
    ],
)
@pytest.mark.parametrize("splits", [("dev", "test"), ("train", "test"), ("train", "dev")])
def test_audio_in_two_splits_is_refused(other: Utterance, splits: tuple[str, str]) -> None:
    with pytest.raises(RequestError, match=r"x\.wav at [01] s is in"):
        require_apart("sid", {splits[0]: [WHOLE], splits[1]: [other]})


def test_what_lies_between_hides_nothing() -> None:
    inside = Utterance("inside", Path("x.wav"), start=0.2, duration=0.3)
    later = Utterance("later", Path("x.wav"), start=1.0, duration=0.5)
    with pytest.raises(RequestError, match=r"at 1 s is in train \(a\) and in test \(later\)"):
        require_apart("sid", {"test": [later], "train": [inside, WHOLE]})


def test_other_recordings_and_other_parts_of_one_may_be_in_other_splits() -> None:
    after = Utterance("b", Path("x.wav"), start=1.99, duration=2.0)
    require_apart("sid", {"dev": [WHOLE], "test": [after, Utterance("c", Path("y.wav"), duration=2.0)]})
