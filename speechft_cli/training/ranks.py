"""The processes that train one encoder together, or encode together, by what little they must tell each other.

In training each rank holds the whole encoder and its own batches. Gradients are averaged over the ranks once per
update, and only those that exist: a frozen encoder has none. So whoever trains when is decided in one place, for one
rank and for many. DistributedDataParallel decides at wrapping time which gradients it averages, and encoders that are
frozen then and released later drift apart without an error.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from speechft_cli.errors import RequestError, SpeechftError
from speechft_cli.io.hashes import weights_hash

T = TypeVar("T")

#: Gradients are sent in pieces of about this size [bytes], so that no second copy of all of them is needed.
_PIECE = 64 * 2**20
#: How much later than the first a rank may come: on a cold file system imports take minutes.
_LATE = timedelta(minutes=30)


class LostRankError(SpeechftError):
    """Another of the processes has ended; why, it says itself, if it still can."""


@dataclass(frozen=True)
class Ranks:
    """This process and how many there are; without others every method does nothing.

    Attributes:
        rank: This process, from 0.
        world: Number of processes.
        local_rank: This process among those on its machine, from 0.
    """

    rank: int = 0
    world: int = 1
    local_rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replaces each tensor by its mean over the ranks; every rank ends with the same bits."""
        if self.world == 1:
            return
        for piece in _pieces(tensors):
            flat = torch.cat([tensor.reshape(-1) for tensor in piece])
            with self._with_others():
                dist.all_reduce(flat)
            flat /= self.world
            for tensor, mean in zip(piece, torch.split(flat, [tensor.numel() for tensor in piece]), strict=True):
                tensor.copy_(mean.view_as(tensor))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        if self.world == 1:
            return flag
        count = torch.tensor(int(flag))
        with self._with_others():
            dist.all_reduce(count)
        return bool(count)

    def gather(self, value: T) -> list[T]:
        """Returns the value of every rank, in their order."""
        values: list[T] = [value] * self.world
        if self.world > 1:
            with self._with_others():
                dist.all_gather_object(values, value)
        return values

    def wait(self) -> None:
        """Waits until every rank has come here."""
        if self.world > 1:
            with self._with_others():
                dist.barrier()

    @contextlib.contextmanager
    def agreed(self) -> Iterator[None]:
        """Lets no rank go on from the block while one can't: what the first of those raises is raised by all."""
        error: SpeechftError | None = None
        try:
            yield
        except SpeechftError as raised:
            error = raised
        first = next((each for each in self.gather(error) if each is not None), None)
        if first is not None:
            raise first

    def require_equal(self, weights: Mapping[str, Tensor], *, step: int) -> None:
        """Makes sure that every rank holds the same encoder, bit for bit.

        Raises:
            SpeechftError: They do not.
        """
        if self.world == 1:
            return
        hashes = self.gather(weights_hash(weights))
        if len(set(hashes)) > 1:
            raise SpeechftError(
                f"step {step}: every rank must hold the same encoder, but their hashes are {', '.join(hashes)}",
                "this is a bug of speechft or of the machine; the last checkpoint is good",
            )

    @contextlib.contextmanager
    def _with_others(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if "DataLoader worker" in str(error):  # torch tells of it wherever this process is then
                raise
            raise LostRankError(
                f"rank {self.rank}: lost another rank: {error}",
                "that one or its launcher says why; what was saved is kept",
            ) from error


def is_joining() -> bool:
    """Whether this process was started as one of several.

    Raises:
        RequestError: The environment says nonsense.
    """
    world = os.environ.get("WORLD_SIZE") or "1"
    if not world.isdecimal():
        raise RequestError(
            f"WORLD_SIZE: must be the number of processes, as torchrun sets it, got {world!r}",
            "unset WORLD_SIZE, and one process works alone",
        )
    return int(world) > 1


@contextlib.contextmanager
def joined(*, patience: timedelta = timedelta(hours=24)) -> Iterator[Ranks]:
    """Joins the processes that `speechft finetune --gpus N`, torchrun or accelerate launch started; alone: no one.

    Args:
        patience: How long they wait for one that clusters frames, scores dev or trains probes.

    Raises:
        SpeechftError: The others can't be reached.
    """
    if not is_joining():
        yield Ranks()
        return
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank % torch.cuda.device_count())
    try:
        store, rank, world = next(rendezvous("env://", timeout=_LATE))
        store.set_timeout(patience)  # NCCL meets there at the first collective
        # flags and hashes go through gloo on the CPU: asking for them does not wait for the GPU
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=patience)
    except (ValueError, RuntimeError) as error:
        raise SpeechftError(
            f"WORLD_SIZE is {os.environ['WORLD_SIZE']}, but the other processes can't be reached: {error}",
            "torchrun and accelerate launch set what is needed; without WORLD_SIZE one process works alone",
        ) from error
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size(), local_rank)
    finally:
        dist.destroy_process_group()


def _pieces(tensors: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    piece: list[Tensor] = []
    for tensor in tensors:
        if piece and sum(each.nbytes for each in piece) + tensor.nbytes > _PIECE:
            yield piece
            piece = []
        piece.append(tensor)
    if piece:
        yield piece
