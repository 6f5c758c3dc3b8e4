"""Dev chooses and test judges: nobody may be in both, nor in train."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speechft_cli.data.utterance import Seconds, Utterance
from speechft_cli.errors import RequestError

#: Neighbours in a long recording may share this much through rounding [s].
_TOLERANCE: Seconds = 0.05


def require_apart(task: str, splits: Mapping[str, Sequence[Utterance]]) -> None:
    """Makes sure that no audio is in two splits, be it under one name or under two.

    Args:
        task: Whose splits they are.
        splits: Split → utterances.

    Raises:
        RequestError: Some is; names two utterances.
    """
    by_recording: dict[str, list[tuple[Seconds, Seconds, str, str]]] = {}
    for split, utterances in splits.items():
        for each in utterances:
            place = (each.start, each.start + each.duration, split, each.id)
            by_recording.setdefault(str(each.audio), []).append(place)
    for recording, places in by_recording.items():
        furthest: dict[str, tuple[Seconds, str]] = {}  # split → end and name of what reaches furthest so far
        for start, end, split, name in sorted(places):
            for other_split, (other_end, other_name) in furthest.items():
                if split != other_split and start < other_end - _TOLERANCE:
                    raise RequestError(
                        f"task {task}: must have each stretch of audio in one split, but {recording} at {start:g} s is "
                        f"in {other_split} ({other_name}) and in {split} ({name})",
                        "take it out of one of the manifests: what is trained on or chosen by can't be a test",
                    )
            furthest[split] = max(furthest.get(split, (end, name)), (end, name))
