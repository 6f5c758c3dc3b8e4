"""The plan of a fine-tuning run, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import nn

from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.engines.finetune.jobs import CheckedJob
from speechft_cli.engines.finetune.request import FinetuneRequest
from speechft_cli.errors import amount
from speechft_cli.events import Table
from speechft_cli.io.space import size_text
from speechft_cli.training.activations import activation_bytes
from speechft_cli.training.freezing import parameters_of
from speechft_cli.training.state import TrainingState

#: s3prl#583: trained at 1e-1, HuBERT base falls from 81.6 to 0.07 % on SID; nothing above this is in use.
_DESTRUCTIVE_RATE = 1e-3


def plan_table(request: FinetuneRequest, state: TrainingState, *, ranks: int, with_activations: bool = False) -> Table:
    """Returns what will happen: data, and per stage which updates, who trains, how many parameters, which rate.

    Args:
        request: What is asked for.
        state: Before the first update, or resumed.
        ranks: How many processes train together.
        with_activations: Whether to estimate the memory of the largest batch too, which runs the encoder.
    """
    section, strategy = request.section, request.strategy
    rows = [row for each in request.checked for row in _data_rows(request, each, ranks)]
    rows.append(("strategy", f"{strategy.name}{f': {strategy.note}' if strategy.note else ''}"))
    if request.base.family.cnn_prefixes:
        rows.append(("CNN", "trains once the encoder does" if request.trains_cnn else "never trains"))
    rows += [
        ("frozen encoder's dropout", "on" if section.frozen_dropout else "off"),
        ("precision", section.precision),
        ("weights, gradients, Adam", size_text(_memory(state))),
    ]
    if with_activations:
        rows += [("activations", text) for text in _activations(request, state)]
    return Table(
        f"{' + '.join(request.tasks)}: {strategy.name} fine-tuning of {request.base.family.name}",
        ("what", "plan"),
        (*rows, *_stage_rows(request, state)),
    )


def plan_data(request: FinetuneRequest) -> dict[str, object]:
    """Returns the plan for programs: what `plan_table` says, in numbers."""
    return {
        "family": request.base.family.name,
        "strategy": request.strategy.name,
        "steps": request.section.steps,
        "tasks": [
            {
                "task": each.job.task.name,
                "train": len(each.job.train),
                "hours": float(each.job.train.durations.sum()) / 3600,
                "dev": len(each.job.dev),
            }
            for each in request.checked
        ],
        "stages": [
            {"stage": stage, "first": first + 1, "last": end} for stage, first, end in request.schedule.stages()
        ],
    }


def plan_warnings(request: FinetuneRequest) -> Iterator[str]:
    """Says what of the request does harm, or nothing."""
    schedule = request.schedule
    if schedule.frozen_steps >= schedule.end:
        yield (
            f"warning: the encoder is frozen in all of the {schedule.end} updates and will stay the base; lower "
            "finetune.frozen_share"
        )
    rate = request.section.encoder_rate
    if rate > _DESTRUCTIVE_RATE and not request.strategy.starts_from_base and request.base.path is not None:
        yield (
            f"warning: an encoder learning rate of {rate:g} is known to destroy pre-trained encoders; 1e-4 and below "
            "are usual: --set finetune.encoder_learning_rate=1e-4 keeps the head's rate"
        )


def _data_rows(request: FinetuneRequest, checked: CheckedJob, ranks: int) -> list[tuple[str, str]]:
    job, section = checked.job, request.section
    source = job.source(section.batch_seconds)
    hours = float(job.train.durations.sum()) / 3600
    batches = len(source.plan(0, 0))
    per_epoch = -(-batches // (section.batches_per_update * ranks))
    total = sum(each.job.weight for each in request.checked)
    prefix = f"{job.task.name}: " if len(request.checked) > 1 else ""
    share = f", {job.weight / total:.0%} of the updates" if prefix else ""
    rows = [
        (
            f"{prefix}training data",
            f"{amount(len(job.train), 'utterances')}, {hours:.2f} h, {amount(per_epoch, 'steps')} per epoch{share}",
        ),
        (f"{prefix}dev data", amount(len(job.dev), "utterances")),
    ]
    if job.crop_seconds is not None:
        rows.append((f"{prefix}crops", f"at most {job.crop_seconds:g} s"))
    if job.masking is not None:
        of = "MFCCs" if section.units.layer is None else f"hidden state {section.units.layer}"
        rows.append((f"{prefix}targets", f"{section.units.clusters} clusters of {of}"))
        rows.append((f"{prefix}hidden frames", f"spans of {job.masking.length}, {job.masking.share:.0%} with overlaps"))
    return rows


def _stage_rows(request: FinetuneRequest, state: TrainingState) -> Iterator[tuple[str, str]]:
    section, schedule = request.section, request.schedule
    heads = _count(state.heads.parameters())
    encoder = _count(parameters_of(state.encoder, state.attached.trained))
    name = "head" if len(request.checked) == 1 else "heads"
    peaks = (section.learning_rate, section.encoder_rate)
    for stage, first, end in schedule.stages():
        size = heads if stage == "frozen" else heads + encoder
        who = name if stage == "frozen" else f"{name} and encoder"
        low, high = schedule.rate(first), schedule.rate(end)
        used = peaks[:1] if stage == "frozen" else dict.fromkeys(peaks)
        rates = " and ".join(" → ".join(f"{peak * share:.2g}" for share in dict.fromkeys((low, high))) for peak in used)
        yield f"steps {first + 1}-{end}: {stage}", f"{who}, {size / 1e6:.2f} M parameters, rate {rates}"


def _activations(request: FinetuneRequest, state: TrainingState) -> Iterator[str]:
    """Says what the largest batch of each task keeps for the gradient."""
    section = request.section
    for each in request.checked:
        job = each.job
        batch = job.largest_batch(section.batch_seconds)
        seconds = max(piece.length for piece in batch) / SAMPLE_RATE
        sizes = []
        for is_frozen in request.schedule.phases(state.step):
            state.set_modes(is_frozen=is_frozen, frozen_dropout=section.frozen_dropout)
            size = activation_bytes(
                state.encoder,
                state.heads[job.task.name],
                count=len(batch),
                seconds=seconds,
                precision=state.precision,
                is_frozen=is_frozen,
            )
            sizes.append(f"{size_text(size)} while the encoder is {'frozen' if is_frozen else 'trained'}")
        less = ", less with gradient checkpointing" if section.gradient_checkpointing else ""
        name = f"{job.task.name}: " if len(request.checked) > 1 else ""
        yield f"{name}about {', '.join(sizes)}, for {amount(len(batch), 'utterances')} of up to {seconds:.1f} s{less}"


def _count(parameters: Iterable[nn.Parameter]) -> int:
    return sum(each.numel() for each in parameters)


def _memory(state: TrainingState) -> int:
    """Bytes without activations: weights, of what trains gradients and two moments, what the strategy keeps."""
    heads, encoder = _count(state.heads.parameters()), _count(state.encoder.parameters())
    trained = heads + _count(parameters_of(state.encoder, state.attached.trained))
    return 4 * (heads + encoder + 3 * trained) + state.attached.held_bytes
