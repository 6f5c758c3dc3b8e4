"""IEMOCAP: `Session<n>/sentences/wav/<dialogue>/*.wav` and `Session<n>/dialog/EmoEvaluation/<dialogue>.txt`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from speechft_cli.data.corpora.layout import (
    choose_parts,
    draw_dev,
    entries,
    folders,
    gender_label,
    missing,
    read_lines,
    top_folder,
)
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.utterance import Utterance

_PAGE = "https://sail.usc.edu/iemocap/"
#: SUPERB's four classes; excited counts as happy.
_EMOTIONS = {"neu": "neutral", "hap": "happiness", "exc": "happiness", "ang": "anger", "sad": "sadness"}
_FIRST_FOLD = {"test": ("Session1",)}
_DEV_SHARE = 0.2  # of the utterances that are not test
_LABEL = re.compile(r"\[[\d.]+ - [\d.]+\]\t(\S+)\t(\w+)\t")
_TURN = re.compile(r"^[ \t]*(\S+) \[[\d.]+-[\d.]+\]: ?(.*)", re.MULTILINE)


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads four emotions: neutral, happiness (with excitement), anger, sadness.

    Sessions are the parts; no two share a speaker. Fold n tests on session n: `splits` with `test: [Session2]` alone
    is the second one, the default is the first. Where `splits` names no dev, a fifth of the other utterances is drawn
    for it, over all speakers, as SUPERB does.
    """
    root = top_folder(request.root, "IEMOCAP_full_release", "IEMOCAP")
    there = [each.name for each in folders(root) if each.name.startswith("Session")]
    if not there:
        raise missing(root, "Session1", _PAGE)
    for session in there:
        if not (root / session / "dialog" / "EmoEvaluation").is_dir():
            raise missing(root, f"{session}/dialog/EmoEvaluation", _PAGE)
    chosen = choose_parts(root, there, splits=_fill_up(request.splits, there), default={})
    split_of = {session: split for split, session in chosen}
    found = [each for session in sorted(split_of) for each in _read_session(root / session, split_of[session])]
    held_out: frozenset[str] = frozenset()
    if "dev" not in split_of.values():
        train = [each[1].id for each in found if not isinstance(each, Rejected) and each[0] == "train"]
        held_out = draw_dev(train, request.seed, share=_DEV_SHARE)
    for each in found:
        if not isinstance(each, Rejected) and each[1].id in held_out:
            yield "dev", each[1]
        else:
            yield each


IEMOCAP = Corpus(read, language="en", licence="IEMOCAP licence, research only", page=_PAGE)


def _fill_up(splits: Mapping[str, Sequence[str]], there: Sequence[str]) -> dict[str, Sequence[str]]:
    """Returns the splits with the sessions that no split names as train, where none is named for it."""
    splits = dict(splits or _FIRST_FOLD)
    named = {session for sessions in splits.values() for session in sessions}
    return {"train": [session for session in there if session not in named], **splits}


def _read_session(session: Path, split: str) -> Iterator[Found]:
    labels = (path for path in entries(session / "dialog" / "EmoEvaluation") if path.suffix == ".txt")
    for dialogue in sorted(path for path in labels if path.name[0] != "."):  # the release has ._ files
        texts = _read_texts(session / "dialog" / "transcriptions" / dialogue.name)
        for name, emotion in sorted(_LABEL.findall("\n".join(read_lines(dialogue)))):
            audio = session / "sentences" / "wav" / dialogue.stem / f"{name}.wav"
            if emotion not in _EMOTIONS:
                yield Rejected(name, audio, split, "emotion not among the four", emotion, by_rule=True)
                continue
            gender = name.rpartition("_")[2][:1].lower()  # who speaks, where the dialogue's name says who wears markers
            yield (
                split,
                Utterance(
                    name,
                    audio,
                    text=texts.get(name),
                    speaker=f"{name[:5]}{gender.upper()}",
                    labels={
                        "emotion": _EMOTIONS[emotion],
                        **(gender_label(gender) or {"gender": "unknown"}),
                        "session": name[3:5],
                        "style": "improvised" if "impro" in name else "scripted",
                    },
                ),
            )


def _read_texts(path: Path) -> dict[str, str]:
    """Returns utterance → transcript; the file is optional."""
    if not path.is_file():
        return {}
    return {name: text.strip() for name, text in _TURN.findall("\n".join(read_lines(path)))}
