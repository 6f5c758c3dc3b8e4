"""One line of a manifest: a lhotse cut with one supervision. lhotse reads what is written here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import orjson

from speechft_cli.data.columns import Row
from speechft_cli.data.utterances import labels_text

_SLACK = 0.05  # by which a supervision may reach beyond its cut: durations are rounded [s]
_TRIM = "in lhotse CutSet.trim_to_supervisions() makes such cuts"
_SAVE = "in lhotse CutSet.save_audios(FOLDER) writes such recordings"


def cut_line(row: Row) -> bytes:
    """Returns the line of an utterance, with its end; the same utterance gives the same bytes.

    An utterance in an archive gets lhotse Shar's placeholder for its recording, and where it lies in its `custom`.
    """
    is_archived = row.size > 0
    sample_count = round((row.start + row.duration) * row.sample_rate)
    custom: dict[str, object] = {}
    if row.normalised is not None:
        custom["normalised"] = row.normalised
    if row.phones is not None:
        custom["phones"] = row.phones
    if row.licence is not None:
        custom["licence"] = row.licence
    if row.labels is not None:
        custom["labels"] = orjson.Fragment(row.labels)
    if row.task_splits is not None:
        custom["task_splits"] = orjson.Fragment(row.task_splits)
    supervision: dict[str, object] = {
        "id": row.id,
        "recording_id": row.id,
        "start": 0.0,
        "duration": row.duration,
        "channel": 0,
    }
    if row.text is not None:
        supervision["text"] = row.text
    if row.language is not None:
        supervision["language"] = row.language
    if row.speaker is not None:
        supervision["speaker"] = row.speaker
    if custom:
        supervision["custom"] = custom
    source = {
        "type": "shar" if is_archived else "file",
        "channels": [0],
        "source": "" if is_archived else row.audio,
    }
    cut = {
        "id": row.id,
        "start": row.start,
        "duration": row.duration,
        "channel": 0,
        "supervisions": [supervision],
        "recording": {
            "id": row.id,
            "sources": [source],
            "sampling_rate": row.sample_rate,
            "num_samples": sample_count,
            "duration": sample_count / row.sample_rate,
        },
        **({"custom": {"archive": row.audio, "offset": row.offset, "size": row.size}} if is_archived else {}),
        "type": "MonoCut",
    }
    return orjson.dumps(cut, option=orjson.OPT_APPEND_NEWLINE)


def parse_cut(line: bytes) -> Row:
    """Returns the utterance of a line; without audio when it lies in an archive and the line does not say where.

    Raises:
        ValueError: It is not JSON, or no stretch of one recording, as that lies there, with one supervision.
    """
    cut = orjson.loads(line)
    try:
        if "tracks" in cut:
            raise ValueError(f"must be a cut of one recording, is one of several, or padded; {_SAVE}")
        if (count := len(cut["supervisions"])) != 1:
            raise ValueError(f"must have one supervision, has {count}; {_TRIM}")
        (supervision,) = cut["supervisions"]
        recording = cut["recording"]
        (source,) = recording["sources"]
        place = cut.get("custom") or {}
        custom = supervision.get("custom") or {}
        if source["type"] not in ("file", "shar"):
            raise ValueError(f"audio must be of type file or shar, is {source['type']!r}")
        _require_plain(cut, recording, source)
        _require_whole(cut, supervision)
        row = Row(
            float(cut["start"]),
            float(cut["duration"]),
            int(recording["sampling_rate"]),
            int(place.get("offset", 0)),
            int(place.get("size", 0)),
            _text(cut, "id") or "",
            str(place.get("archive", "") if source["type"] == "shar" else source["source"]),
            *(_text(supervision, "text"), _text(custom, "normalised"), _text(custom, "phones")),
            *(_text(supervision, "speaker"), _text(supervision, "language"), _text(custom, "licence")),
            *(_labels(custom, "labels"), _labels(custom, "task_splits")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"must be a cut of one recording with one supervision: {error!r}") from error
    if not row.id or row.duration <= 0 or row.sample_rate <= 0:
        raise ValueError("must have an id, a duration and a sampling rate")
    return row


def _require_plain(cut: Mapping[str, Any], recording: Mapping[str, Any], source: Mapping[str, Any]) -> None:
    """Makes sure that what is heard is what lies in the recording: lhotse changes it when it is read."""
    if changes := [each["name"] for each in recording.get("transforms") or () if each["name"] != "Resample"]:
        raise ValueError(f"must have its recording as it is, has {', '.join(changes)}; {_SAVE}")
    channels, own = source["channels"], cut.get("channel", 0)
    if source["type"] == "file" and len(channels) > 1 and own != channels:
        raise ValueError(f"must have all channels of its recording, has {own} of {channels}; {_SAVE}")


def _require_whole(cut: Mapping[str, Any], supervision: Mapping[str, Any]) -> None:
    """Makes sure that a transcript is of nothing that the cut leaves out."""
    begin, length = float(supervision["start"]), float(supervision["duration"])
    is_cut = begin < -_SLACK or begin + length > float(cut["duration"]) + _SLACK
    if is_cut and (supervision.get("text") or (supervision.get("custom") or {}).get("phones")):
        raise ValueError(f"must hold all that its transcript is of, holds {cut['duration']:g} s of {length:g} s")


def _text(fields: Mapping[str, object], name: str) -> str | None:
    value = fields.get(name)
    return value if value is None or isinstance(value, str) else str(value)


def _labels(fields: Mapping[str, object], name: str) -> str | None:
    labels = cast(Mapping[object, object], fields.get(name) or {})
    return labels_text({str(key): str(value) for key, value in labels.items()})
