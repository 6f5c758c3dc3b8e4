"""Slot filling: a transcript in which every slot is marked, spelt in characters and marks.

A target is text such as `PLAY B-artist ADELE E-artist NOW`. The manifest holds it as `text` and `slots`, one tag per
word of the text: `O` outside; `artist`, or `B-artist` and `I-artist`, inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from speechft_cli.tasks.base import FIELD_SEPARATOR, Metric
from speechft_cli.tasks.characters import CHARACTERS, SPECIAL, WORD_BOUNDARY, normalise_text, spell_words
from speechft_cli.tasks.heads import RecurrentHead
from speechft_cli.tasks.slots import is_begin, is_end, is_mark, slot_type_f1, slot_value_cer
from speechft_cli.tasks.transcription import Transcription


def mark_slots(target: str) -> str:
    """Returns `text<tab>tags` as one marked text, and marked text as it is; "" where tags don't match the words."""
    text, separator, tags = target.partition(FIELD_SEPARATOR)
    if not separator:
        return " ".join(text.split())
    words, of_words = text.split(), tags.split()
    if len(words) != len(of_words):
        return ""
    marked: list[str] = []
    slot = ""
    for word, tag in [*zip(words, of_words, strict=True), ("", "O")]:
        name = "" if tag == "O" else tag.removeprefix("B-").removeprefix("I-")
        if slot and (name != slot or tag.startswith("B-")):
            _end_slot(marked, slot)
            slot = ""
        if name and not slot:
            marked.append(f"B-{name}")
            slot = name
        marked += normalise_text(word).split()
    return " ".join(marked)


def _end_slot(marked: list[str], slot: str) -> None:
    if marked[-1] == f"B-{slot}":
        del marked[-1]  # nothing is left of its words, as of digits
    else:
        marked.append(f"E-{slot}")


def _symbols(targets: Iterable[str]) -> tuple[str, ...]:
    return (*CHARACTERS, *sorted({item for target in targets for item in target.split() if is_mark(item)}))


def _spell(target: str) -> list[str]:
    items = target.split()
    spelt = [[item] if is_mark(item) else spell_words(item) for item in items]
    for place, (left, right) in enumerate(pairwise(items)):
        if not is_begin(left) and not is_end(right):  # a mark clings to the slot's own words
            spelt[place].append(WORD_BOUNDARY)
    return [symbol for symbols in spelt for symbol in symbols]


def _read(symbols: Sequence[str]) -> str:
    spaced = (f" {each} " if is_mark(each) else each for each in symbols if each not in SPECIAL)
    return " ".join("".join(spaced).replace(WORD_BOUNDARY, " ").split())


SF = Transcription(
    name="sf",
    needs="text+slots",
    metrics=(Metric("f1", "slot-type F1", "%", "higher"), Metric("cer", "slot-value CER", "%", "lower")),
    measures=(slot_type_f1, slot_value_cer),
    clean=mark_slots,
    symbols=_symbols,
    spell=_spell,
    read=_read,
    make_head=RecurrentHead,
    make_probe=RecurrentHead,
    probe_learning_rates=(1e-3,),
)
