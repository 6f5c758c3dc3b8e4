"""Keywords, digits and commands with slots: what the synthetic corpus says beside sentences."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

#: As in Speech Commands v0.01: ten keywords and others, which are all "unknown".
KEYWORDS = ("YES", "NO", "UP", "DOWN", "LEFT", "RIGHT", "ON", "OFF", "STOP", "GO")
OTHER_WORDS = ("BED", "BIRD", "CAT", "DOG", "HAPPY", "HOUSE", "TREE", "RIVER", "CLOCK", "WINDOW")
UNKNOWN, SILENCE = "_unknown_", "_silence_"
DIGITS = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")

#: Slot → the phrases that may fill it, separated by commas.
_PHRASES = {
    "lights": "LIGHTS, LAMP, LAMPS",
    "machine": "MUSIC, RADIO, HEATING, FAN",
    "thing": "NEWSPAPER, SHOES, JUICE, UMBRELLA, KEYS, TEA",
    "room": "KITCHEN, BEDROOM, GARDEN, OFFICE, HALL, LIBRARY",
    "person": "ALICE, EDWARD, MY BROTHER, MY SISTER, GRANDMA, THE DOCTOR, UNCLE PAUL, AUNT MARY, THE NEW TEACHER",
    "time": "AT SEVEN, AT NOON, TONIGHT, IN TEN MINUTES, TOMORROW MORNING, AFTER SUNSET, NEXT FRIDAY",
    "amount": "TWO, FIVE, TEN, TWELVE, TWENTY, THIRTY",
    "song": "THE RIVER, BLUE MOON, GOLDEN FIELDS, MY OLD HOUSE, SEVEN STARS, WINTER LIGHT",
}

#: (action, object) → ways to say it; a phrase of its kind is put where `{slot}` stands.
_COMMANDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("activate", "lights"): ("TURN ON THE {lights}", "SWITCH ON THE {lights} IN THE {room}", "{lights} ON {time}"),
    ("deactivate", "lights"): ("TURN OFF THE {lights} IN THE {room}", "SWITCH OFF THE {lights}", "{lights} OFF {time}"),
    ("activate", "machine"): ("START THE {machine} IN THE {room}", "TURN ON THE {machine} {time}"),
    ("deactivate", "machine"): ("STOP THE {machine} IN THE {room}", "TURN OFF THE {machine} {time}"),
    ("increase", "machine"): ("TURN UP THE {machine} BY {amount} PERCENT", "MORE {machine} IN THE {room}"),
    ("decrease", "machine"): ("TURN DOWN THE {machine} BY {amount} PERCENT", "LESS {machine} IN THE {room}"),
    ("bring", "thing"): (
        "BRING ME THE {thing} FROM THE {room}",
        "GET MY {thing} {time}",
        "FETCH THE {thing} FOR {person}",
    ),
    ("call", "person"): ("CALL {person}", "PHONE {person} {time}", "RING {person} IN THE {room}"),
    ("remind", "person"): ("REMIND {person} {time}", "TELL {person} TO COME TO THE {room} {time}"),
    ("play", "song"): (
        "PLAY {song}",
        "PLAY {song} IN THE {room}",
        "I WANT TO HEAR {song} {time}",
        "PLAY {song} FOR {person}",
    ),
}
INTENTS = tuple(_COMMANDS)


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        text: In capitals.
        slots: A tag per word: `O` outside, `B-<slot>` and `I-<slot>` inside.
        action: What is to happen.
        object: To what; the kind of it.
        location: Where; `none` when nothing is said of it.
    """

    text: str
    slots: str
    action: str
    object: str
    location: str


def draw_command(draw: random.Random, intent: tuple[str, str]) -> Command:
    """Returns a command of an intent, of `INTENTS`, said one way or another."""
    words: list[str] = []
    tags: list[str] = []
    location = "none"
    for item in draw.choice(_COMMANDS[intent]).split():
        slot = item.strip("{}")
        if slot == item:
            words.append(item)
            tags.append("O")
            continue
        phrase = draw.choice(_PHRASES[slot].split(", ")).split()
        words += phrase
        tags += [f"B-{slot}", *[f"I-{slot}"] * (len(phrase) - 1)]
        if slot == "room":
            location = phrase[0].lower()
    return Command(" ".join(words), " ".join(tags), intent[0], intent[1], location)
