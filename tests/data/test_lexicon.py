import gzip
from pathlib import Path

import pytest

from speechft_cli.data.corpus import Rejected
from speechft_cli.data.items import as_item
from speechft_cli.data.lexicon import Gaps, pronounce, read_lexicon, with_phones
from speechft_cli.data.utterance import Utterance
from speechft_cli.errors import RequestError


def lexicon(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_formats_of_cmudict_librispeech_and_sphinx_are_read_and_the_first_pronunciation_counts(tmp_path: Path) -> None:
    first = b";;; comment\nREAD  R EH1 D\nREAD(1)  R IY1 D\r\n"
    content = first + b"cat\tK AE1 T # noun\n\nD\xc9J\xc0  D EY2 ZH AA1\nREAD R IY D\n"
    found = read_lexicon(lexicon(tmp_path / "lexicon.txt", content))
    assert (found["READ"], found["CAT"], len(found)) == ("R EH1 D", "K AE1 T", 3)


def test_a_text_with_a_word_outside_the_lexicon_has_no_phonemes() -> None:
    words = {"HELLO": "HH AH0 L OW1", "IT'S": "IH1 T S"}
    assert pronounce("Hello it's", words) == "HH AH0 L OW1 IH1 T S"
    assert pronounce("hello you", words) is None
    assert pronounce("", words) is None


def test_utterances_get_phonemes_where_they_can_and_keep_their_own_where_not(tmp_path: Path) -> None:
    rejected = Rejected("r", tmp_path, "train", "no such file")
    found = [
        ("train", Utterance("a", tmp_path, text="YES", phones="old")),
        ("train", Utterance("b", tmp_path, text="NO", phones="old")),
        ("train", Utterance("c", tmp_path)),
        rejected,
    ]
    gaps = Gaps()
    (_, a), (_, b), (_, c), last = with_phones(map(as_item, found), {"YES": "Y EH S"}, gaps)  # type: ignore[misc]
    assert (a.phones, b.phones, c.phones, last) == ("Y EH S", "old", None, as_item(rejected))
    assert gaps == Gaps(transcripts=2)


def test_transcripts_without_phonemes_are_counted_with_the_first_words_that_are_missing(tmp_path: Path) -> None:
    texts = ("yes no", "NO MAYBE", "YES", "perhaps never", "")
    found = [("train", Utterance(text, tmp_path, text=text)) for text in texts]
    gaps = Gaps()
    assert len(list(with_phones(map(as_item, found), {"YES": "Y EH S"}, gaps))) == 5
    said = "lexicon: 4 of 5 transcripts have no phonemes: they have words that are not in it, e.g. NO, MAYBE, PERHAPS"
    assert str(gaps) == said


def test_a_lexicon_may_be_packed(tmp_path: Path) -> None:
    packed = lexicon(tmp_path / "lexicon.txt.gz", gzip.compress(b"CAT  K AE1 T\n"))
    assert read_lexicon(packed) == {"CAT": "K AE1 T"}
    with pytest.raises(RequestError, match=r"lexicon\.txt\.gz: must be a lexicon, can't be read"):
        read_lexicon(lexicon(packed, packed.read_bytes()[:-9]))


def test_what_is_no_text_or_has_no_words_is_no_lexicon(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="must be a lexicon in UTF-8, is something else"):
        read_lexicon(lexicon(tmp_path / "lexicon.txt", "CAT K AE1 T".encode("utf-16")))
    for content in (b"", b"\r\n", b";;; words to come\n"):
        with pytest.raises(RequestError, match="must be a lexicon, has no words"):
            read_lexicon(lexicon(tmp_path / "lexicon.txt", content))


def test_a_line_without_phonemes_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"lexicon\.txt:2: must be a word and its phonemes, got 'CAT'"):
        read_lexicon(lexicon(tmp_path / "lexicon.txt", b"DOG D AO G\nCAT\n"))
    with pytest.raises(RequestError, match="gone: must be a lexicon"):
        read_lexicon(tmp_path / "gone")
