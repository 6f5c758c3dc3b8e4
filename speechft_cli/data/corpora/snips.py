"""Audio SNIPS as SUPERB has it: `{train,valid,test}/<speaker>-snips-<part>-<n>.wav` and `all.iob.snips.txt`."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from speechft_cli.data.corpora.layout import choose_parts, find_file, missing, read_lines, recordings, top_folder
from speechft_cli.data.corpus import Corpus, CorpusRequest, Found, Rejected
from speechft_cli.data.utterance import Utterance

_PAGE = "https://github.com/s3prl/s3prl/blob/main/s3prl/downstream/docs/superb.md"
_PARTS = {"train": "train", "dev": "valid", "test": "test"}
#: SUPERB's speakers; the other voices of a part stay out, so that no two splits share one.
_SPEAKERS = {
    "train": frozenset(["Ivy", "Joanna", "Joey", "Justin", "Kendra", "Kimberly", "Matthew", "Salli"]),
    "valid": frozenset(["Aditi", "Amy", "Geraint", "Nicole"]),
    "test": frozenset(["Brian", "Emma", "Raveena", "Russell"]),
}
_LETTERS = str.maketrans({"Æ": "A", "Ð": "D", "Ø": "O", "–": "-", '"': " "})
_WORDS = {"楽園追放": "EXPELLED", "官方杂志": "", "&": "AND"}  # as SUPERB reads them


def read(request: CorpusRequest) -> Iterator[Found]:
    """Reads SUPERB's speakers; `slots` has a tag for each word of the text, `intent` what is wanted.

    Texts lose accents and free-standing punctuation, with its tags, as in SUPERB.
    """
    root = top_folder(request.root, "SNIPS", "audio_slu")
    labels = dict(_read_line(line) for line in read_lines(find_file(root, ["all.iob.snips.txt"], _PAGE)))
    there = [part for part in _PARTS.values() if (root / part).is_dir()]
    if not there:
        raise missing(root, "train", _PAGE)
    default = {split: [part] for split, part in _PARTS.items()}
    for split, part in choose_parts(root, there, splits=request.splits, default=default):
        for name, audio in recordings(root / part, is_deep=True).items():
            speaker = audio.stem.partition("-")[0]
            words, slots, intent = labels.get(name, ((), (), ""))
            if speaker not in _SPEAKERS[part]:
                yield Rejected(audio.stem, audio, split, "speaker of another split", speaker, by_rule=True)
            elif not words:
                yield Rejected(audio.stem, audio, split, "audio without transcript")
            elif len(words) != len(slots):
                detail = f"{len(words)} words, {len(slots)} tags"
                yield Rejected(audio.stem, audio, split, "transcript without a tag for each word", detail)
            else:
                kept = [(said, tag) for word, tag in zip(words, slots, strict=True) for said in [_clean(word)] if said]
                yield (
                    split,
                    Utterance(
                        audio.stem,
                        audio,
                        text=" ".join(said for said, _ in kept),
                        speaker=speaker,
                        labels={"slots": " ".join(tag for _, tag in kept), "intent": intent},
                    ),
                )


SNIPS = Corpus(read, language="en", licence="CC0 1.0 (text)", page=_PAGE)


def _read_line(line: str) -> tuple[str, tuple[list[str], list[str], str]]:
    """Reads `id BOS word … EOS<tab>O tag … intent` as lower-case id → (words, tags, intent)."""
    spoken, _, tagged = line.partition("\t")
    name, *words = spoken.split() or [""]
    tags = tagged.split()
    return name.lower(), (words[1:-1], tags[1:-1], tags[-1] if tags else "")


def _clean(word: str) -> str:
    """Returns a word without accents, nothing for punctuation."""
    word = _WORDS.get(word, word).upper().translate(_LETTERS).replace(" ", "")
    plain = "".join(each for each in unicodedata.normalize("NFKD", word) if not unicodedata.combining(each))
    return plain if any(each.isalnum() for each in plain) else ""
