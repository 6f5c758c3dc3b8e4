"""`speechft convert` as a user sees it."""

from __future__ import annotations

import json
from pathlib import Path


def test_the_result_says_what_where_and_how_near(speechft, tiny_file: Path) -> None:
    result = speechft("convert", tiny_file, "--format", "hf", "--format", "safetensors", "--out", "out")
    assert result.exit_code == 0, result.stderr
    assert "hubert from s3prl to hf, safetensors" in result.stdout
    assert "out/encoder-hf" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_the_result_is_json(speechft, tiny_file: Path) -> None:
    result = speechft("convert", tiny_file, "--format", "safetensors", "--out", "out", "--json")
    outputs = json.loads(result.stdout)["outputs"]
    assert (outputs[0]["file"], outputs[0]["feature_difference"]) == ("encoder.safetensors", 0)


def test_a_family_without_a_home_in_transformers_is_refused(speechft, tmp_path: Path) -> None:
    from speechft_cli.encoders.formats import save_encoder
    from tests.encoders.layouts import tiny

    (path,) = save_encoder(tiny("decoar2", "base"), tmp_path, ["s3prl"])
    result = speechft("convert", path, "--format", "hf", "--out", "out")
    assert result.exit_code == 2
    assert "decoar2: has no home in transformers" in result.stderr
    assert not Path("out").exists()
