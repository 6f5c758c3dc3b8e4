"""Work shared between the processes that torchrun starts."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from datetime import timedelta

import torch

from speechft_cli.errors import RequestError
from speechft_cli.probing.features import Share

#: The first rank may train for days while the others wait.
_PATIENCE = timedelta(days=30)


def read_share() -> Share:
    """Returns this process's part, from what torchrun puts into the environment; all of it without torchrun.

    Raises:
        RequestError: The environment has half of it, or nonsense.
    """
    names = ("RANK", "WORLD_SIZE")
    values = [os.environ.get(name) for name in names]
    if values == [None, None]:
        return Share()
    try:
        rank, world = (int(value or "") for value in values)
    except ValueError:
        rank, world = -1, 0
    if not 0 <= rank < world:
        got = ", ".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
        raise RequestError(f"environment: must have RANK below WORLD_SIZE as torchrun sets them, got {got}")
    return Share(rank, world)


@contextlib.contextmanager
def meeting(share: Share) -> Iterator[Callable[[], None]]:
    """Gives a function that returns when all processes have called it.

    Raises:
        RequestError: The others can't be found.
    """
    if share.world == 1:
        yield lambda: None
        return
    distributed = torch.distributed
    try:
        distributed.init_process_group("gloo", timeout=_PATIENCE)
    except (ValueError, RuntimeError) as error:
        raise RequestError(
            f"WORLD_SIZE is {share.world}, but the other processes can't be reached: {error}",
            f"torchrun --nproc-per-node {share.world} -m speechft_cli evaluate ...",
        ) from error
    try:
        yield lambda: distributed.barrier()
    finally:
        distributed.destroy_process_group()


def own_device(device: torch.device) -> torch.device:
    """Returns the GPU of this process's own where `device` is any GPU; else `device`."""
    local = os.environ.get("LOCAL_RANK", "")
    if device.type != "cuda" or device.index is not None or not local.isdigit():
        return device
    return torch.device("cuda", int(local) % torch.cuda.device_count())
