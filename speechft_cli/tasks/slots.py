"""Scores of slot filling, on text in which `B-<slot>` and `E-<slot>` stand before and after a slot's words.

Source: SUPERB, Yang et al. 2021, arXiv 2105.01051, section 3.3, and its published scoring.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from speechft_cli.tasks.metrics import character_error_rate


def is_begin(item: str) -> bool:
    """Whether an item of a marked text begins a slot. Words have no hyphens, so none is taken for a mark."""
    return item.startswith("B-")


def is_end(item: str) -> bool:
    """Whether an item of a marked text ends a slot."""
    return item.startswith("E-")


def is_mark(item: str) -> bool:
    """Whether an item of a marked text is no word."""
    return is_begin(item) or is_end(item)


def read_slots(text: str) -> dict[str, list[str]]:
    """Returns slot → the values it has in a marked text, in order.

    A slot is what stands between a beginning and the next end of the same name, when there is at least one item
    between them; marks in between are dropped from its value. A beginning without an end is no slot.
    """
    items = text.split()
    slots: dict[str, list[str]] = {}
    place = 0
    while place < len(items):
        name = items[place].removeprefix("B-")
        end = _find(items, f"E-{name}", start=place + 2) if is_begin(items[place]) else None
        if end is not None:
            value = " ".join(item for item in items[place + 1 : end] if not is_mark(item))
            slots.setdefault(name, []).append(value)
            place = end
        place += 1
    return slots


def slot_type_f1(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Returns the mean over utterances of the F1 between predicted and true sets of slots [%].

    An utterance without slots counts 100 when none is predicted, 0 otherwise.
    """
    if not references:
        return float("nan")
    scores = []
    for prediction, reference in zip(predictions, references, strict=True):
        guessed, true = set(read_slots(prediction)), set(read_slots(reference))
        size = len(guessed) + len(true)
        scores.append(2 * len(guessed & true) / size if size else 1.0)
    return 100.0 * sum(scores) / len(scores)


def slot_value_cer(predictions: Sequence[str], references: Sequence[str]) -> float:
    """Returns the character error rate over the values of all true slots [%].

    A true slot is compared with the most similar of the values predicted for it, with nothing when there is none.
    """
    values = [
        (_nearest(value, read_slots(prediction), slot), value)
        for prediction, reference in zip(predictions, references, strict=True)
        for slot, true in read_slots(reference).items()
        for value in true
    ]
    return character_error_rate([guess for guess, _ in values], [value for _, value in values])


def _nearest(value: str, guessed: Mapping[str, Sequence[str]], slot: str) -> str:
    return min(guessed.get(slot, [""]), key=lambda guess: character_error_rate([guess], [value]))


def _find(items: Sequence[str], item: str, *, start: int) -> int | None:
    return next((place for place in range(start, len(items)) if items[place] == item), None)
