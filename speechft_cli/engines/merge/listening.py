"""Measuring a tuned model on speech: the part of a merge with statistics that runs encoders."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

import numpy as np
from torch import Tensor

from speechft_cli.data.audio import read_waveform
from speechft_cli.data.manifests.folder import read_manifest
from speechft_cli.data.utterance import Utterance, field_in_words
from speechft_cli.data.utterances import Utterances
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.encoder import Encoder
from speechft_cli.encoders.linear_inputs import input_products
from speechft_cli.encoders.s3prl import build_encoder
from speechft_cli.engines.device import choose_device
from speechft_cli.engines.merge.measurement import Measurement
from speechft_cli.engines.own_torch import own_torch
from speechft_cli.errors import RequestError, amount
from speechft_cli.events import Note, Report, counted
from speechft_cli.io.ahead import READERS, in_order
from speechft_cli.tasks import trained_task
from speechft_cli.tasks.base import Task
from speechft_cli.tasks.labels import with_label
from speechft_cli.training.best import kept_heads, read_head
from speechft_cli.training.fisher import squared_gradients, unit_norm
from speechft_cli.training.usable import LeftOut, usable_by_length, usable_for_training


@own_torch()
def listen(
    model: EncoderCheckpoint,
    wanted: Measurement,
    number: int,
    names: Sequence[str],
    label: str,
    *,
    device: str,
    report: Report,
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns the statistics of a tuned model by tensor, and what there is to say of them.

    Args:
        model: Complete.
        wanted: What to measure.
        number: Which of the tuned models it is.
        names: Tensors to measure.
        label: What to call the model.
        device: Where to measure.
        report: Told how far it is.

    Raises:
        RequestError: No utterance can be used.
        SpeechftError: A gradient is not finite, or a recording can't be read.
    """
    encoder = build_encoder(model, device=choose_device(device))
    if wanted.heads:
        return _fisher(encoder, wanted, number, names, label, report)
    matrices = [name for name in names if model.weights[name].ndim == 2]
    utterances = _utterances(wanted, number)
    usable, flaws = usable_by_length(utterances, frame_counts=encoder.family.frame_count, **_lengths(wanted, number))
    chosen = _drawn(wanted, number, usable, flaws, label, "utterances of a fitting length", report)
    waveforms = (waveform for _, waveform in _heard(encoder, chosen, f"inputs of {label}", report))
    return input_products(encoder, waveforms, matrices), {"utterances": str(len(chosen))}


def _fisher(
    encoder: Encoder, wanted: Measurement, number: int, names: Sequence[str], label: str, report: Report
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The sum over the head's tasks, each of norm 1, again of norm 1."""
    folder, parameters = wanted.heads[number], dict(encoder.model.named_parameters())
    names = [name for name in names if name in parameters]
    whole: dict[str, Tensor] = {}
    facts: dict[str, str] = {}
    for name, kept in kept_heads(folder).items():
        note, vocabulary = str(folder / "heads.json"), kept.vocabulary
        task = cast("Task", with_label(trained_task(name, key=note), kept.needs, key=note))
        head = read_head(folder, task, len(vocabulary), width=encoder.width).to(encoder.device)
        usable, flaws = usable_for_training(
            _utterances(wanted, number),
            task,
            vocabulary,
            frame_counts=encoder.family.frame_count,
            **_lengths(wanted, number),
        )
        what = f"{field_in_words(task.needs)} of the classes that the head knows"
        chosen = _drawn(wanted, number, usable, flaws, label, what, report)
        examples = (
            (each.id, waveform, task.encode(task.normalise(each.target(task.needs) or ""), vocabulary))
            for each, waveform in _heard(encoder, chosen, f"{name} gradients of {label}", report)
        )
        found, norm = unit_norm(squared_gradients(encoder, head, task, vocabulary, examples, names))
        if not norm:
            raise RequestError(f"{label}: must have a loss of {name} that depends on its weights, has none")
        whole = {each: whole[each] + tensor if whole else tensor for each, tensor in found.items()}
        facts |= {f"{name}_utterances": str(len(chosen)), f"{name}_norm": repr(norm)}
    return unit_norm(whole)[0], facts


def _utterances(wanted: Measurement, number: int) -> Utterances:
    return read_manifest(wanted.data[number], str(wanted.record["split"]))


def _lengths(wanted: Measurement, number: int) -> dict[str, float]:
    return {name: cast("list[float]", wanted.record[name])[number] for name in ("min_seconds", "max_seconds")}


def _drawn(
    wanted: Measurement,
    number: int,
    usable: Utterances,
    flaws: Sequence[LeftOut],
    label: str,
    what: str,
    report: Report,
) -> Utterances:
    """As many of the usable utterances as are asked for, in their order."""
    said = [
        f"{amount(each.count, 'utterances')} left out: {each.reason}, for example {each.utterance_id}" for each in flaws
    ]
    if not usable:
        raise RequestError("\n  ".join([f"{wanted.data[number]}: must have {what}, for {label}, has none", *said]))
    for each in said:
        report(Note(f"{label}: {each}"))
    most = min(len(usable), cast("int", wanted.record["utterances"]))
    random = np.random.default_rng((cast("int", wanted.record["seed"]), 5))
    return usable.select(np.sort(random.permutation(len(usable))[:most]))


def _heard(encoder: Encoder, utterances: Utterances, what: str, report: Report) -> Iterator[tuple[Utterance, Tensor]]:
    """Yields utterances with their waveforms (N,) on the encoder's device."""
    read = zip(utterances, in_order(read_waveform, utterances, workers=READERS), strict=True)
    for each, waveform in counted(read, report, what, len(utterances), "utterances"):
        yield each, waveform.to(encoder.device)
