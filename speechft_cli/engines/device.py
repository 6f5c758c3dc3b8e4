"""Which device a run uses."""

from __future__ import annotations

import torch

from speechft_cli.errors import RequestError
from speechft_cli.events import DeviceMemory, Event, Report


def require_gpus(name: str, count: int) -> None:
    """Makes sure that `count` processes can have a device each.

    Raises:
        RequestError: There are fewer GPUs, or one GPU was asked for by its number.
    """
    device = choose_device(name)
    if device.index is not None and count > 1:
        raise RequestError(f"device: must be auto, cuda or cpu for {count} processes, got {name!r}", "--device auto")
    if device.type == "cuda" and count > torch.cuda.device_count():
        raise RequestError(
            f"finetune.gpus: must be at most the number of GPUs here, {torch.cuda.device_count()}, got {count}",
            "speechft doctor shows what works here",
        )


def choose_device(name: str) -> torch.device:
    """Returns the device called `name`; `auto` is the first GPU when there is one.

    Raises:
        RequestError: There is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise RequestError(
            f"device: must be auto, cpu, cuda or cuda:N, got {name!r}", "speechft doctor shows the GPUs here"
        ) from None
    if device.type == "cuda" and (not torch.cuda.is_available() or (device.index or 0) >= torch.cuda.device_count()):
        raise RequestError(
            f"device: must be there, but {name!r} is not; this machine has {torch.cuda.device_count()} CUDA devices",
            "speechft doctor shows what works here",
        )
    return device


def with_memory(report: Report, device: torch.device) -> Report:
    """Returns a Report that also hears how much of a GPU is in use, whenever that changes; of a CPU nothing."""
    if device.type != "cuda":
        return report
    told = 0

    def tell(event: Event) -> None:
        nonlocal told
        peak = torch.cuda.max_memory_reserved(device)
        if peak != told:
            told = peak
            report(DeviceMemory(peak, torch.cuda.get_device_properties(device).total_memory))
        report(event)

    return tell
