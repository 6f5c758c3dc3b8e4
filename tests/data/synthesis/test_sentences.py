import random
import re

from speechft_cli.data.synthesis.sentences import WORDS, draw_sentence, sentence_split


def test_there_are_hundreds_of_words_of_letters_and_apostrophes() -> None:
    assert len(WORDS) > 500
    assert all(re.fullmatch(r"[A-Z]+('[A-Z]+)?", word) for word in WORDS)


def test_a_sentence_has_three_to_nine_words_and_is_of_the_split_it_was_drawn_for() -> None:
    draw = random.Random(0)
    for split in ("train", "dev", "test"):
        for _ in range(200):
            sentence = draw_sentence(draw, split)
            assert 3 <= len(sentence.split()) <= 9
            assert sentence_split(sentence) == split


def test_no_sentence_is_in_two_splits_whatever_the_seeds() -> None:
    train = {draw_sentence(random.Random(seed), "train") for seed in range(300)}
    dev = {draw_sentence(random.Random(seed), "dev") for seed in range(300)}
    assert train.isdisjoint(dev)


def test_an_stands_before_vowels_and_only_there() -> None:
    draw = random.Random(0)
    text = " | ".join(draw_sentence(draw, "train") for _ in range(3000))
    assert " AN APPLE" in text
    assert not re.search(r"\bA (APPLE|EAGLE|ISLAND|OLD|UNCLE|HONEST)\b", text)
    assert not re.search(r"\bAN (USEFUL|USUAL|HOUSE|BOOK)\b", text)
