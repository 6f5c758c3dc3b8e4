"""Too little memory, told by what did not fit."""

from __future__ import annotations

import pytest
import torch

from speechft_cli.encoders.memory import lack_of_memory_named
from speechft_cli.errors import SpeechftError


def test_what_did_not_fit_is_named() -> None:
    with (
        pytest.raises(SpeechftError, match=r"utterance long: must fit into memory, got 2 utterances of up to 7\.0 s"),
        lack_of_memory_named({"short": 3.0, "long": 7.0}),
    ):
        torch.empty(2**60)


def test_another_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shape"), lack_of_memory_named({"one": 3.0}):
        torch.zeros(2, 3) @ torch.zeros(2, 3)
