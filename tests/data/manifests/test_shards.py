from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import soundfile

from speechft_cli.data.manifests.shards import write_shards
from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import row_of
from speechft_cli.data.verdicts import Good, pack


def test_an_archive_that_is_kept_is_not_taken_for_one_of_a_recording_that_changed(tmp_path: Path) -> None:
    audio = tmp_path / "a.wav"
    row = row_of(Utterance("a", audio, duration=0.5, sample_rate=16_000), str(audio))

    def archive(folder: Path, *, seed: int) -> bytes:
        soundfile.write(audio, np.random.default_rng(seed).uniform(-0.5, 0.5, 8_000), 16_000)
        os.utime(audio, (seed, seed))
        folder.mkdir()
        verdicts = pack([Good("train", row, 0, 0)])
        (written,) = write_shards([("train", verdicts)], folder, per_shard=2, kept=tmp_path / "kept")
        assert written[1].utterances == 1
        return (folder / "shar-train" / "recording.000000.tar").read_bytes()

    assert archive(tmp_path / "one", seed=1) == archive(tmp_path / "again", seed=1)
    before = audio.read_bytes()
    changed = archive(tmp_path / "changed", seed=2)
    assert audio.read_bytes() in changed
    assert before not in changed
