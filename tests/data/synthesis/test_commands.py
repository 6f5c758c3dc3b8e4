import random

from speechft_cli.data.synthesis.commands import INTENTS, draw_command


def test_every_word_of_a_command_has_its_tag_and_slots_begin_with_b() -> None:
    draw = random.Random(0)
    for intent in INTENTS * 30:
        command = draw_command(draw, intent)
        tags = command.slots.split()
        assert len(tags) == len(command.text.split())
        assert (command.action, command.object) == intent
        for before, tag in zip(["O", *tags], tags, strict=False):
            assert tag[:2] != "I-" or before[2:] == tag[2:]


def test_where_is_the_room_that_is_said_or_none() -> None:
    draw = random.Random(1)
    commands = [draw_command(draw, ("activate", "lights")) for _ in range(50)]
    assert {command.location for command in commands} >= {"none", "office", "bedroom"}
    for command in commands:
        assert (command.location == "none") == ("IN THE" not in command.text)
        assert command.location == "none" or command.location.upper() in command.text


def test_the_same_intent_is_said_in_many_ways() -> None:
    draw = random.Random(2)
    assert len({draw_command(draw, ("remind", "person")).text for _ in range(300)}) > 100
