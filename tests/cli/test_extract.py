from __future__ import annotations

import json
from pathlib import Path

import pytest

from speechft_cli.cli.commands.extract import parse_layers
from speechft_cli.errors import RequestError


def test_layers_are_numbers_and_ranges() -> None:
    assert parse_layers("0,6,-1") == (0, 6, -1)
    assert parse_layers("4:6, 9") == (4, 5, 6, 9)


@pytest.mark.parametrize("text", ["", "a", "6:4", "1:", "1,,2", "-3:-1"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="--layers: must be numbers and ranges"):
        parse_layers(text)


def test_extract_writes_features_and_says_where(speechft, tiny_file: Path, manifests: Path) -> None:
    arguments = ["extract", str(tiny_file), str(manifests), "--split", "dev", "--layers", "0,-1", "--out", "features"]
    result = speechft(*arguments)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "4 utterances, hidden states 0, 3 → features\n"
    again = speechft(*arguments, "--json")
    assert json.loads(again.stdout)["hidden_states"] == [0, 3]
