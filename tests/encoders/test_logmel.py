"""Log mel features against s3prl's, which SUPERB's FBANK row was measured with."""

from __future__ import annotations

import pytest
import torch

from speechft_cli.encoders.logmel import LogMel
from speechft_cli.errors import SpeechftError
from speechft_cli.io.hashes import weights_hash

CPU = torch.device("cpu")


def waveforms() -> list[torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    return [0.1 * torch.randn(count, generator=random) for count in (16_000, 5_000, 560)]


def test_they_are_those_of_s3prl() -> None:
    from s3prl.upstream.baseline.extracter import get_extracter

    kaldi = {"feat_type": "fbank", "fbank": {"num_mel_bins": 80, "frame_length": 25.0, "frame_shift": 10.0}}
    delta, cmvn = {"order": 2, "win_length": 5}, {"use_cmvn": True}
    theirs, width, _ = get_extracter({"kaldi": kaldi, "delta": delta, "cmvn": cmvn})
    encoded = LogMel(device=CPU, normalise=True)(waveforms())
    assert width == encoded.last.shape[2] == 240
    for waveform, own, count in zip(waveforms(), encoded.last, encoded.frame_counts.tolist(), strict=True):
        torch.testing.assert_close(own[:count], theirs(waveform), rtol=0, atol=1e-5)
        assert not own[count:].any()


def test_frames_come_every_10_ms_and_hear_25() -> None:
    encoder = LogMel(device=CPU, normalise=True)
    counts = encoder(waveforms()).frame_counts.tolist()
    assert counts == [1 + (16_000 - 400) // 160, 1 + (5_000 - 400) // 160, 2]
    assert counts == [encoder.framing.count(len(each)) for each in waveforms()]
    assert (encoder.framing.stride, encoder.framing.width) == (160, 400)


def test_every_band_is_normalised_over_the_utterance() -> None:
    (features,) = LogMel(device=CPU, normalise=True)(waveforms()[:1]).last
    assert features.mean(dim=0).abs().max() < 1e-5
    assert (features.std(dim=0) - 1).abs().max() < 1e-5


def test_as_they_are_they_differ_by_mean_and_scale_of_each_band_only() -> None:
    (plain,) = LogMel(device=CPU, normalise=False)(waveforms()[:1]).last
    (normalised,) = LogMel(device=CPU, normalise=True)(waveforms()[:1]).last
    assert plain.mean(dim=0)[:80].abs().min() > 0.1
    torch.testing.assert_close((plain - plain.mean(dim=0)) / plain.std(dim=0), normalised)


def test_one_frame_has_no_variance_and_is_refused() -> None:
    with pytest.raises(SpeechftError, match="must give at least two frames, got 559 samples"):
        LogMel(device=CPU, normalise=True)([torch.zeros(16_000), torch.zeros(559)])


def test_the_hash_follows_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    before = weights_hash(LogMel(device=CPU, normalise=True).weights())
    assert weights_hash(LogMel(device=CPU, normalise=True).weights()) == before
    assert weights_hash(LogMel(device=CPU, normalise=False).weights()) != before
    monkeypatch.setattr("speechft_cli.encoders.logmel._BANDS", 40)
    assert weights_hash(LogMel(device=CPU, normalise=True).weights()) != before
