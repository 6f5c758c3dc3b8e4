"""What ranks tell each other, over two real processes with gloo."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch

from speechft_cli.data.utterance import Utterance
from speechft_cli.data.utterances import Utterances
from speechft_cli.engines.finetune.ranks import _free_port
from speechft_cli.errors import RequestError, SpeechftError
from speechft_cli.training.ranks import Ranks, joined
from speechft_cli.training.skips import Skips


def on_two_ranks(work: Callable[[Ranks], object]) -> list[object]:
    context = multiprocessing.get_context("fork")
    environment = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": "2"}
    ears = []
    processes = []
    for rank in range(2):
        ear, mouth = context.Pipe(duplex=False)
        own = {**environment, "RANK": str(rank), "LOCAL_RANK": str(rank)}
        processes.append(context.Process(target=_child, args=(work, own, mouth)))
        processes[-1].start()
        ears.append(ear)
    results = [ear.recv() if ear.poll(60) else None for ear in ears]
    for process in processes:
        process.join(10)
        process.kill()
    return results


def _child(work: Callable[[Ranks], object], environment: dict[str, str], mouth: Connection) -> None:
    os.environ.update(environment)
    with joined() as ranks:
        mouth.send(work(ranks))


def test_gradients_are_averaged_to_the_same_bits_in_pieces_of_any_size() -> None:
    def work(ranks: Ranks) -> object:
        tensors = [
            torch.arange(6.0).view(2, 3) + ranks.rank,
            torch.full((17_000_000,), float(ranks.rank)),
            torch.tensor(2.0),
        ]
        ranks.average(tensors)
        return tensors[0].tolist(), float(tensors[1].min()), float(tensors[1].max()), float(tensors[2])

    expected = ([[0.5, 1.5, 2.5], [3.5, 4.5, 5.5]], 0.5, 0.5, 2.0)
    assert on_two_ranks(work) == [expected, expected]


def test_flags_and_values_reach_every_rank_in_order() -> None:
    def work(ranks: Ranks) -> object:
        ranks.wait()
        return ranks.any(ranks.rank == 1), ranks.any(False), ranks.gather(f"rank {ranks.rank}"), ranks.is_first

    assert on_two_ranks(work) == [
        (True, False, ["rank 0", "rank 1"], True),
        (True, False, ["rank 0", "rank 1"], False),
    ]


def test_no_rank_goes_on_where_one_can_not() -> None:
    def work(ranks: Ranks) -> object:
        with ranks.agreed():
            pass
        try:
            with ranks.agreed():
                if ranks.rank == 1:
                    raise RequestError("a: must be b", "do c")
        except RequestError as error:
            return error.message, error.hint, error.exit_code
        return None

    assert on_two_ranks(work) == [("a: must be b", "do c", 2)] * 2


def test_encoders_that_have_drifted_apart_are_noticed() -> None:
    def work(ranks: Ranks) -> object:
        weights = {"a": torch.zeros(3), "b": torch.ones(2)}
        ranks.require_equal(weights, step=1)
        weights["b"][1] += 1e-7 * ranks.rank
        try:
            ranks.require_equal(weights, step=2)
        except SpeechftError as error:
            return error.message
        return None

    for message in on_two_ranks(work):
        assert str(message).startswith("step 2: every rank must hold the same encoder, but their hashes are ")


def test_updates_that_are_left_out_are_named_by_the_utterances_of_all_ranks() -> None:
    def work(ranks: Ranks) -> object:
        skips = Skips(limit=1)
        own = Utterance(f"of rank {ranks.rank}", Path("a.wav"), duration=1.0)
        skips.add(torch.tensor(True), Utterances.of([own]))
        try:
            skips.read(1, ranks)
        except SpeechftError as error:
            return error.message
        return None

    for message in on_two_ranks(work):
        assert str(message).endswith("the last ones of the utterances of rank 0, of rank 1")


def test_alone_nothing_is_asked() -> None:
    ranks = Ranks()
    tensor = torch.ones(2)
    ranks.average([tensor])
    ranks.wait()
    ranks.require_equal({}, step=0)

    assert (ranks.any(True), ranks.gather(3), ranks.is_first, tensor.tolist()) == (True, [3], True, [1.0, 1.0])


@pytest.mark.parametrize("world", ["two", "-1"])
def test_an_environment_that_says_nonsense_is_told(world: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", world)
    with pytest.raises(RequestError, match="WORLD_SIZE: must be the number of processes"), joined():
        pass


def test_processes_that_nobody_can_find_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)
    with (
        pytest.raises(SpeechftError, match=r"WORLD_SIZE is 2, but the other processes can't be reached: .*RANK"),
        joined(),
    ):
        pass


def test_who_is_one_of_one_works_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for world in ("", "1"):
        monkeypatch.setenv("WORLD_SIZE", world)
        with joined() as ranks:
            assert ranks == Ranks()
