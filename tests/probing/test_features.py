import math
import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.utterance import Utterance
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.encoders.s3prl import build_encoder, random_checkpoint
from speechft_cli.errors import SpeechftError
from speechft_cli.io.ahead import READERS
from speechft_cli.probing.encoding import (
    Batching,
    Needs,
    Waveforms,
    crop_middle,
    encode_batch,
    plan_batches,
    stretch_name,
)
from speechft_cli.probing.features import Features, Keeping, Share


def build(*, exact_padding: bool) -> Encoder:
    checkpoint = random_checkpoint(ENCODERS.get("hubert"), "tiny", seed=0)
    return build_encoder(checkpoint, device=torch.device("cpu"), exact_padding=exact_padding)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return build(exact_padding=True)


@pytest.fixture
def utterances(tmp_path: Path) -> list[Utterance]:
    made = []
    for number, seconds in enumerate((0.5, 0.8, 0.3, 0.52, 0.5)):
        time = np.arange(round(seconds * 16_000)) / 16_000
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, 0.3 * np.sin(2 * math.pi * 200 * (number + 1) * time * (1 + time)), 16_000)
        made.append(Utterance(f"u{number}", path, duration=seconds, sample_rate=16_000, speaker="x"))
    return made


def features(
    encoder: Encoder,
    needs: Needs,
    cache: Path,
    *,
    identity: str = "w",
    manifests: str = "m",
    batching: Batching = "exact",
    are_frames_alone: bool = True,
    memory: int = 2**30,
    disk: int = 2**30,
    precision: torch.dtype = torch.float32,
) -> tuple[Features, list[int]]:
    """Features, and where the encoder's calls are noted: how many waveforms each."""
    keeping = Keeping(cache, manifests, batching, are_frames_alone, memory, disk, precision)
    calls: list[int] = []
    handle = encoder.register_forward_pre_hook(lambda _, arguments: calls.append(len(arguments[0])))
    _HANDLES.append(handle)
    return Features(lambda: encoder, identity, needs, keeping, read=read_waveform), calls


_HANDLES: list[torch.utils.hooks.RemovableHandle] = []


@pytest.fixture(autouse=True)
def _forget_hooks() -> object:
    yield
    while _HANDLES:
        _HANDLES.pop().remove()


def encode(features: Features, share: Share = Share()) -> list[int]:
    seen: list[int] = []
    features.encode(share, seen.append)
    return seen


def alone(encoder: Encoder, utterance: Utterance) -> torch.Tensor:
    with torch.no_grad():
        return torch.cat(encoder([read_waveform(utterance)]).hidden_states)


def test_every_utterance_is_encoded_as_if_alone_and_those_of_like_length_together(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    mine, calls = features(encoder, Needs(utterances, []), tmp_path / "cache")
    assert encode(mine) == [1, 4, 5]
    assert calls == [1, 3, 1]
    pooled = mine.pooled(utterances)
    assert pooled.shape == (5, 4, 128)
    for row, utterance in zip(pooled, utterances, strict=True):
        torch.testing.assert_close(row, alone(encoder, utterance).double().mean(dim=1).float(), rtol=0, atol=1e-5)
    assert not pooled.requires_grad


def test_pooled_vectors_and_hidden_states_come_from_one_pass(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    mine, calls = features(encoder, Needs(utterances, utterances), tmp_path / "cache")
    encode(mine)
    assert sum(calls) == 5
    for utterance in utterances:
        (states,) = mine.hidden_states([utterance])
        assert torch.equal(states, alone(encoder, utterance))
        torch.testing.assert_close(mine.pooled([utterance])[0], states.mean(dim=1), rtol=0, atol=1e-6)
    assert sum(calls) == 5 + 5  # those of `alone`


def test_crops_of_other_tasks_are_encoded_once_each(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    crops = [crop_middle(each, 0.4) for each in utterances]
    mine, calls = features(encoder, Needs([*utterances, *crops, *crops], []), tmp_path / "cache")
    encode(mine)
    assert sum(calls) == 5 + 4  # 0.3 s is its own crop
    torch.testing.assert_close(mine.pooled(crops)[1], alone(encoder, crops[1]).mean(dim=1), rtol=0, atol=1e-5)


def test_cached_vectors_need_neither_audio_nor_encoder(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    needs = Needs(utterances, [])
    mine, _ = features(encoder, needs, tmp_path / "cache")
    encode(mine)
    for utterance in utterances:
        utterance.audio.unlink()
    again, calls = features(encoder, needs, tmp_path / "cache")
    encode(again)
    assert torch.equal(mine.pooled(utterances), again.pooled(utterances))
    assert calls == []


@pytest.mark.parametrize("changed", [{"identity": "x"}, {"manifests": "x"}, {"batching": "stock"}])
def test_features_of_other_weights_data_or_settings_are_never_used(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path, changed: dict[str, str]
) -> None:
    encode(features(encoder, Needs(utterances, []), tmp_path / "cache")[0])
    other, calls = features(encoder, Needs(utterances, []), tmp_path / "cache", **changed)  # type: ignore[arg-type]
    encode(other)
    assert sum(calls) == 5


def test_an_interrupted_pass_goes_on_where_it_was(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    needs = Needs(utterances, utterances)
    mine, calls = features(encoder, needs, tmp_path / "cache", memory=0)

    def interrupt(done: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        mine.encode(Share(), interrupt)
    again, calls = features(encoder, needs, tmp_path / "cache", memory=0)
    encode(again)
    assert calls == [1, 1]


def test_a_vector_that_got_lost_is_made_again(encoder: Encoder, utterances: list[Utterance], tmp_path: Path) -> None:
    mine, _ = features(encoder, Needs(utterances, []), tmp_path / "cache")
    encode(mine)
    before = mine.pooled(utterances)
    for file in (tmp_path / "cache").rglob("*.safetensors"):
        file.write_bytes(b"")
    assert torch.equal(mine.pooled(utterances), before)


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_wherever_hidden_states_are_kept_they_are_the_same(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path, precision: torch.dtype
) -> None:
    size = alone(encoder, utterances[0]).numel() * precision.itemsize
    places = {"memory": (10 * size, 0), "disk": (0, 10 * size), "both": (size, size), "nowhere": (0, 0)}
    heard, calls = {}, {}
    for place, (memory, disk) in places.items():
        mine, calls[place] = features(
            encoder, Needs([], utterances), tmp_path / place, memory=memory, disk=disk, precision=precision
        )
        encode(mine)
        heard[place] = [*mine.hidden_states(utterances), *mine.hidden_states(utterances)]
    for states in heard.values():
        assert all(torch.equal(mine, other) for mine, other in zip(states, heard["memory"], strict=True))
    # the hooks of all four see every call: those of the first count most
    assert len(calls["nowhere"]) == 1 + 10  # the first shows that there is no room
    assert heard["memory"][0].dtype == torch.float32
    torch.testing.assert_close(
        heard["memory"][0], alone(encoder, utterances[0]), rtol=0, atol=0 if precision == torch.float32 else 0.02
    )


def test_a_gpu_encodes_hidden_states_in_batches_also_where_they_are_made_again(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    for place, memory in (("memory", 2**30), ("nowhere", 0)):
        mine, calls = features(
            encoder, Needs([], utterances), tmp_path / place, are_frames_alone=False, memory=memory, disk=0
        )
        if memory:
            encode(mine)
        calls.clear()
        states = mine.hidden_states([*reversed(utterances), utterances[0]])

        # 0.3 s, twice 0.5 s with 0.52 s, 0.8 s
        assert calls == ([] if memory else [1, 3, 1])
        for own, utterance in zip(states, [*reversed(utterances), utterances[0]], strict=True):
            torch.testing.assert_close(own, alone(encoder, utterance), rtol=1e-4, atol=1e-4)


def test_the_result_is_the_same_however_many_processes_share_the_encoding(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    needs = Needs([crop_middle(each, 0.4) for each in utterances], utterances)
    single, _ = features(encoder, needs, tmp_path / "one")
    encode(single)
    shares = [features(encoder, needs, tmp_path / "three")[0] for _ in range(3)]
    for rank, mine in enumerate(shares):
        encode(mine, Share(rank, 3))
    shares[0].reload()
    assert shares[0].without_a_place(utterances) == 0
    assert torch.equal(shares[0].pooled(needs.pooled), single.pooled(needs.pooled))
    for utterance in utterances:
        assert torch.equal(shares[0].hidden_states([utterance])[0], single.hidden_states([utterance])[0])


def test_hidden_states_take_no_more_memory_than_they_may(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    shortest, next_one = (alone(encoder, utterances[number]).nbytes for number in (2, 0))
    mine, _ = features(encoder, Needs([], utterances), tmp_path / "cache", memory=shortest + next_one, disk=0)
    encode(mine)
    assert [mine.without_a_place([each]) for each in utterances] == [0, 1, 0, 1, 1]


def test_hidden_states_made_at_their_first_use_fill_all_the_memory_they_may(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    memory = sum(alone(encoder, each).nbytes for each in utterances)
    mine, _ = features(encoder, Needs([], utterances), tmp_path / "cache", memory=memory, disk=0)
    for utterance in utterances:
        mine.hidden_states([utterance])
    assert mine.without_a_place(utterances) == 0


def test_what_is_asked_for_first_is_taken_from_the_disk_into_memory(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    needs, every = Needs([], utterances), sum(alone(encoder, each).nbytes for each in utterances)
    encode(features(encoder, needs, tmp_path / "cache", memory=0, disk=every)[0])
    for order in (utterances, utterances[::-1]):
        memory = sum(alone(encoder, each).nbytes for each in order[:2])
        mine, _ = features(encoder, needs, tmp_path / "cache", memory=memory, disk=every)
        mine.hidden_states(order)
        for file in (tmp_path / "cache").rglob("*.safetensors"):
            file.rename(file.with_suffix(".away"))
        mine.reload()
        assert [mine.without_a_place([each]) for each in order] == [0, 0, 1, 1, 1]
        for file in (tmp_path / "cache").rglob("*.away"):
            file.rename(file.with_suffix(".safetensors"))


def test_who_shares_a_batch_is_part_of_what_stock_features_are_and_of_no_others(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    def places(batching: Batching, heard: list[Utterance]) -> set[Path]:
        mine, _ = features(encoder, Needs(heard, heard), tmp_path, batching=batching)
        return {store.folder for store in mine.stores}

    assert places("exact", utterances) == places("exact", utterances[:3])
    assert not places("stock", utterances) & places("stock", utterances[:3])


def test_stock_batching_pads_as_s3prl_does(utterances: list[Utterance], tmp_path: Path) -> None:
    encoder = build(exact_padding=False)
    mine, calls = features(encoder, Needs(utterances, []), tmp_path / "cache", batching="stock")
    encode(mine)
    assert calls == [5]
    by_length = sorted(utterances, key=lambda each: (each.duration, each.id))
    with torch.no_grad():
        states = encoder([read_waveform(each) for each in by_length])
    shortest = torch.stack([layer[0, : states.frame_counts[0]] for layer in states.hidden_states])
    torch.testing.assert_close(mine.pooled([by_length[0]])[0], shortest.mean(dim=1))
    difference = mine.pooled([by_length[0]])[0] - alone(encoder, by_length[0]).mean(dim=1)
    assert difference.abs().max() > 1e-3  # GroupNorm hears the padding


def test_a_plan_has_every_utterance_once_and_does_not_depend_on_their_order(utterances: list[Utterance]) -> None:
    for batching in ("exact", "stock"):
        plan = plan_batches(utterances, batching)
        assert plan == plan_batches(utterances[::-1], batching)
        assert sorted(each.id for batch in plan for each in batch) == [each.id for each in utterances]


def test_batches_are_no_larger_than_a_minute() -> None:
    minutes = [Utterance(f"u{number}", Path("u.wav"), duration=20.0) for number in range(10)]
    assert [len(batch) for batch in plan_batches(minutes, "exact")] == [3, 3, 3, 1]


def test_audio_is_read_once_while_the_budget_lasts(utterances: list[Utterance]) -> None:
    read = Waveforms(budget=4 * 8000)
    first = read(utterances[0])
    read(utterances[4])  # as long as the first, for which there was room
    for number in (0, 4):
        utterances[number].audio.unlink()
    assert read(utterances[0]) is first
    with pytest.raises(SpeechftError):
        read(utterances[4])


def test_the_next_recordings_are_read_while_the_encoder_works(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    readers: dict[str, int] = {}
    came_first = threading.Event()

    def read(utterance: Utterance) -> torch.Tensor:
        readers[utterance.id] = threading.get_ident()
        if len(readers) == 5:
            came_first.set()
        return read_waveform(utterance)

    keeping = Keeping(tmp_path / "cache", "m", "exact", True, 2**30, 2**30, torch.float32)
    mine = Features(lambda: encoder, "w", Needs([], utterances), keeping, read=read)  # a batch for each

    def wait(*_: object) -> None:
        came_first.wait(60)

    _HANDLES.append(encoder.register_forward_pre_hook(wait))
    encode(mine)
    assert came_first.is_set()
    assert threading.get_ident() not in readers.values()


def test_where_there_is_no_room_no_more_is_read(encoder: Encoder, utterances: list[Utterance], tmp_path: Path) -> None:
    heard: list[str] = []

    def read(utterance: Utterance) -> torch.Tensor:
        heard.append(utterance.id)
        return read_waveform(utterance)

    many = [replace(utterances[0], id=f"u{number:03}") for number in range(100)]
    mine = Features(
        lambda: encoder, "w", Needs([], many), Keeping(tmp_path, "m", "exact", True, 0, 0, torch.float32), read=read
    )
    encode(mine)
    assert "u000" in heard
    assert len(heard) <= 1 + 2 * READERS


def test_a_crop_is_the_middle_of_the_utterance() -> None:
    utterance = Utterance("u", Path("u.wav"), start=3.0, duration=5.0)
    assert crop_middle(utterance, 1.0) == replace(utterance, start=5.0, duration=1.0)
    assert crop_middle(utterance, 5.0) == utterance
    assert crop_middle(utterance, None) == utterance
    assert stretch_name(utterance) != stretch_name(crop_middle(utterance, 1.0))


def test_an_utterance_too_short_for_a_frame_or_without_audio_is_named(
    encoder: Encoder, utterances: list[Utterance], tmp_path: Path
) -> None:
    short = replace(utterances[0], duration=0.01)
    gone = replace(utterances[1], audio=Path(os.devnull) / "gone.wav")
    for each in (short, gone):
        with pytest.raises(SpeechftError, match=f"utterance {each.id}: "):
            encode(features(encoder, Needs([each], []), tmp_path / "cache")[0])


def test_an_utterance_too_long_for_the_memory_is_named(encoder: Encoder, utterances: list[Utterance]) -> None:
    waveform = torch.zeros(1).expand(10**12)  # 4 TB once it is copied
    with pytest.raises(SpeechftError, match=r"utterance u0: must fit into memory, got 1 utterance of up to 0\.5 s"):
        encode_batch(encoder, [utterances[0]], [waveform])


def test_an_encoder_that_makes_no_numbers_of_an_utterance_is_told(utterances: list[Utterance], tmp_path: Path) -> None:
    encoder = build(exact_padding=True)
    with torch.no_grad():
        for name, weight in encoder.named_parameters():
            if "layers.1.fc" in name:
                weight.mul_(1e30)  # two products of it are beyond float32
    expected = "utterance u2: must have finite features, got NaN or Inf in hidden state 2"
    with pytest.raises(SpeechftError, match=expected):
        encode(features(encoder, Needs([utterances[2]], []), tmp_path / "cache")[0])
