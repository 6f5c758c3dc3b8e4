from __future__ import annotations

import gzip
from itertools import product
from pathlib import Path

import pytest
import torch

from speechft_cli.errors import RequestError
from speechft_cli.probing.beam import BeamSettings, arpa_words, beam_decoder
from speechft_cli.tasks.asr import ASR
from speechft_cli.tasks.characters import CHARACTERS

VOCABULARY = ASR.vocabulary([])
#: log10 of the probability of a word after another one.
BIGRAMS = {
    ("<s>", "the"): -0.3,
    ("the", "cat"): -0.1,
    ("the", "cut"): -2.0,
    ("cat", "</s>"): -0.3,
    ("cut", "</s>"): -0.3,
}
UNIGRAMS = {"<unk>": -1.0, "<s>": -99.0, "</s>": -1.0, "the": -1.0, "cat": -1.0, "cut": -1.5, "été": -2.0}


@pytest.fixture
def arpa(tmp_path: Path) -> Path:
    pytest.importorskip("flashlight.lib.text")
    path = tmp_path / "two.arpa"
    path.write_text(
        f"\\data\\\nngram 1={len(UNIGRAMS)}\nngram 2={len(BIGRAMS)}\n\n\\1-grams:\n"
        + "".join(f"{value}\t{word}\t-0.3\n" for word, value in UNIGRAMS.items())
        + "\n\\2-grams:\n"
        + "".join(f"{value}\t{' '.join(words)}\n" for words, value in BIGRAMS.items())
        + "\n\\end\\\n"
    )
    return path


def spelled(text: str, doubt: dict[int, dict[str, float]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that spell a text, a blank after each letter; at some letters other letters are likely too."""
    logits = torch.full((1, 2 * len(text), 32), -20.0)
    for place, letter in enumerate(text):
        for each, value in doubt.get(place, {letter: 0.0}).items():
            logits[0, 2 * place, CHARACTERS.index(each)] = value
        logits[0, 2 * place + 1, 0] = 0.0
    return logits, torch.tensor([2 * len(text)])


def test_the_n_gram_decides_where_the_letters_do_not(arpa: Path) -> None:
    logits, counts = spelled("THE|CUT|", {5: {"U": -0.6, "A": -0.8}})

    assert ASR.predict(logits, counts, VOCABULARY) == ["THE CUT"]
    assert beam_decoder(arpa, BeamSettings())(logits, counts, VOCABULARY) == ["THE CAT"]


@pytest.mark.parametrize("weight", [0.0, 0.02, 0.06, 0.5])
@pytest.mark.parametrize("margin", [0.05, 0.3])
def test_the_best_hypothesis_is_that_of_weighing_all_of_them(arpa: Path, weight: float, margin: float) -> None:
    logits, counts = spelled("THE|CUT|", {5: {"U": 0.0, "A": -margin}})
    letters = {"cut": 0.0, "cat": -margin}
    totals = {}
    for first, second in product(("the",), ("cat", "cut")):
        grams = [BIGRAMS["<s>", first], BIGRAMS[first, second], BIGRAMS[second, "</s>"]]
        totals[f"{first} {second}".upper()] = letters[second] + weight * sum(grams)
    expected = max(totals, key=lambda words: totals[words])

    decode = beam_decoder(arpa, BeamSettings(language_weight=weight, word_score=0.0))

    assert decode(logits, counts, VOCABULARY) == [expected]


def test_frames_past_an_utterances_own_are_not_heard(arpa: Path) -> None:
    logits, counts = spelled("THE|CAT|", {})
    longer, _ = spelled("THE|CAT|THE|CUT|", {})

    assert beam_decoder(arpa, BeamSettings())(longer, counts, VOCABULARY) == ["THE CAT"]
    assert beam_decoder(arpa, BeamSettings())(logits, counts, VOCABULARY) == ["THE CAT"]


def test_nothing_but_the_answer_is_printed(arpa: Path, capfd: pytest.CaptureFixture[str]) -> None:
    beam_decoder(arpa, BeamSettings())
    captured = capfd.readouterr()

    assert captured.out == captured.err == ""


def test_an_arpa_file_may_be_packed(arpa: Path) -> None:
    packed = arpa.with_suffix(".arpa.gz")
    packed.write_bytes(gzip.compress(arpa.read_bytes()))
    logits, counts = spelled("THE|CAT|", {})

    assert arpa_words(packed) == ["the", "cat", "cut", "été"]
    assert beam_decoder(packed, BeamSettings())(logits, counts, VOCABULARY) == ["THE CAT"]


@pytest.mark.parametrize("content", [b"hello\n", b"\\data\\\n\\1-grams:\n-1\t<s>\n\\end\\\n", b"\xff\xfe"])
def test_what_is_no_n_gram_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "no.arpa"
    path.write_bytes(content)

    with pytest.raises(RequestError, match=r"no\.arpa: must be an n-gram in ARPA format"):
        arpa_words(path)


def test_a_file_that_is_cut_short_is_named(arpa: Path) -> None:
    arpa.write_text(arpa.read_text()[:-60])

    with pytest.raises(RequestError, match=r"two\.arpa: must be an n-gram in ARPA format, can't be read"):
        beam_decoder(arpa, BeamSettings())
