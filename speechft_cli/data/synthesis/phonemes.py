"""IPA as espeak-ng's English voices write it → ARPAbet without stress, the 39 phonemes most English corpora use."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from speechft_cli.data.utterance import Seconds

_STRESS = str.maketrans("", "", "ˈˌ")

#: ARPAbet → the IPA symbols of all accents that it stands for; one symbol may be several phonemes. The Scottish voice
#: writes the last vowel of HAPPY as a short e.
_SYMBOLS = {
    "AA": "ɑː ɑ ɒ aː a:",
    "AA R": "ɑːɹ",
    "AE": "æ a ɛə",
    "AH": "ə ɐ ʌ",
    "AH L": "əl",
    "AH N": "n̩",
    "AO": "ɔː ɔ",
    "AO R": "ɔːɹ",
    "AW": "aʊ ʌʉ æʊ",
    "AY": "aɪ",
    "AY AH": "aɪə",
    "AY ER": "aɪɚ",
    "B": "b",
    "CH": "tʃ",
    "D": "d",
    "DH": "ð",
    "EH": "ɛ",
    "EH AH": "eə",
    "EH R": "ɛɹ",
    "ER": "ɜː ɜ ɚ əɪ əɹ ʌɹ",
    "EY": "eɪ eː ei",
    "F": "f",
    "G": "ɡ",
    "HH": "h",
    "IH": "ɪ ᵻ",
    "IH R": "ɪɹ",
    "IY": "iː i e eʲ",
    "IY AH": "iə",
    "JH": "dʒ",
    "K": "k",
    "L": "l",
    "M": "m",
    "N": "n",
    "NG": "ŋ",
    "OW": "oʊ əʊ oː o ʌʊ",
    "OY": "ɔɪ oɪ",
    "P": "p",
    "R": "ɹ r",
    "S": "s",
    "SH": "ʃ",
    "T": "t ɾ ʔ",
    "TH": "θ",
    "UH": "ʊ ʉ",
    "UH AH": "ʊə",
    "UH R": "ʊɹ ʉɹ",
    "UW": "uː ʉː əu",
    "V": "v",
    "W": "w ʍ",
    "Y": "j",
    "Z": "z",
    "ZH": "ʒ",
}
_ARPABET = {symbol: phonemes for phonemes, symbols in _SYMBOLS.items() for symbol in symbols.split()}

#: The inventory.
PHONEMES = tuple(sorted({phoneme for phonemes in _SYMBOLS for phoneme in phonemes.split()}))


@dataclass(frozen=True)
class Phone:
    """A phoneme in time.

    Attributes:
        name: ARPAbet, or IPA as the synthesiser says it.
        start: Where it begins [s].
        end: Where the next one, or a pause, begins [s].
    """

    name: str
    start: Seconds
    end: Seconds


def in_arpabet(phones: Iterable[Phone]) -> list[Phone]:
    """Returns IPA phonemes as ARPAbet; of one that is two, each has its half of the time."""
    found = []
    for phone in phones:
        names = _ARPABET[phone.name.translate(_STRESS)].split()
        length = (phone.end - phone.start) / len(names)
        found += [
            Phone(name, phone.start + place * length, phone.start + (place + 1) * length)
            for place, name in enumerate(names)
        ]
    return found
