"""The work of an evaluation: every encoder encodes once, then all its probes train."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from speechft_cli.encoders.cnn_outputs import CnnOutputs
from speechft_cli.encoders.encoder import Encoder, FrozenEncoder
from speechft_cli.engines.evaluate.request import Request
from speechft_cli.errors import RequestError
from speechft_cli.events import Advanced, Finished, Note, Report, Started
from speechft_cli.io.hashes import weights_hash
from speechft_cli.probing.candidates import Candidate, build_candidate
from speechft_cli.probing.encoding import Needs, Waveforms
from speechft_cli.probing.evaluation import evaluate
from speechft_cli.probing.features import Features, Share
from speechft_cli.probing.job import Outcome, ProbeJob, mean_over_folds
from speechft_cli.probing.store import evict
from speechft_cli.probing.sweep import Swept
from speechft_cli.tasks.metrics import mean
from speechft_cli.training.ranks import Ranks

#: Told what each pair of encoder (by the hash of its weights) and task came to, fold by fold; says how the task stands.
Tell = Callable[[str, ProbeJob, Sequence[Outcome]], str]


@dataclass(frozen=True)
class Work:
    """One encoder and the tasks it still has to be probed on."""

    candidate: Candidate
    weights_hash: str
    jobs: tuple[ProbeJob, ...]


class _Course:
    """How far an evaluation is: each encoder is a step, and each pair of encoder and task."""

    def __init__(self, work: Sequence[Work], tell: Tell, report: Report) -> None:
        self._tell = tell
        self._report = report
        self._done = 0
        self._standing = ""
        report(Started("evaluation", sum(1 + len(each.jobs) for each in work), "steps"))

    def encoded(self) -> None:
        self._done += 1
        self._report(Advanced(self._done, self._standing))

    def scored(self, weights_hash: str, job: ProbeJob, outcomes: Sequence[Outcome]) -> None:
        self._standing = self._tell(weights_hash, job, outcomes)
        self._done += 1
        self._report(Advanced(self._done, self._standing))


def do_work(work: Sequence[Work], request: Request, *, ranks: Ranks, tell: Tell, report: Report) -> None:
    """Encodes and probes.

    With one process, sequence tasks are probed right after an encoder has encoded, while its hidden states are in
    memory. With several, all encode their share of everything first; then the first one probes and the others are done.

    Args:
        work: The encoders, each once.
        request: What was asked for.
        ranks: The processes that share the encoding.
        tell: Told each outcome, in the first process.
        report: Told how far it is.

    Raises:
        SpeechftError: A recording can't be read, an encoder has changed, or the disk is full.
    """
    if not work:
        ranks.wait()
        return
    share = Share(ranks.rank, ranks.world)
    # with a single encoder no audio is read twice
    shared = request.keeping.memory // 4 if len(work) > 1 else 0
    read, heard = Waveforms(budget=shared), CnnOutputs(budget=shared) if shared else None
    keeping = replace(request.keeping, memory=request.keeping.memory - 2 * shared)
    course = _Course(work, tell, report)
    features: dict[str, Features] = {}
    for each in work:
        identity = each.weights_hash + request.configurations[each.weights_hash]
        mine = Features(_builder(each, request, heard), identity, _needs(each), keeping, read=read)
        features[each.weights_hash] = mine
        label = each.candidate.label
        report(Note(f"{label}: weights {each.weights_hash[:16]}, {each.candidate.origin}"))
        report(Started(f"{label}: encoding", mine.count(share), "utterances"))
        mine.encode(share, lambda done: report(Advanced(done)))
        report(Finished())
        course.encoded()
        if ranks.world == 1:
            _probe_frames(each, mine, request, course, report)
        mine.forget()
        stores = [store for each in features.values() for store in each.stores]
        evict(request.keeping.cache, most=request.keeping.disk, used=stores)
    if heard is not None:
        heard.forget()  # probes want the memory
    ranks.wait()
    if not ranks.is_first:
        report(Finished())
        return
    if ranks.world > 1:
        for each in work:
            mine = features[each.weights_hash]
            mine.reload()
            _probe_frames(each, mine, request, course, report)
            mine.forget()
    for job in request.jobs:
        if job.task.is_pooled:
            lacking = [each for each in work if job in each.jobs]
            for group in _groups(job, lacking, features, most=request.keeping.memory):
                _probe(job, group, features, request, course, report)
    report(Finished())
    evict(request.keeping.cache, most=request.keeping.disk)


def _probe_frames(work: Work, features: Features, request: Request, course: _Course, report: Report) -> None:
    for job in work.jobs:
        if job.task.is_pooled:
            continue
        heard = job.everything()
        streamed = features.without_a_place(heard)
        if streamed:
            report(
                Note(
                    f"{work.candidate.label}, {job.task.name}: the hidden states of {streamed} of {len(heard)} "
                    "utterances fit neither into evaluate.memory_gib nor into evaluate.cache_gib; they are encoded "
                    "again at each use"
                )
            )
        _probe(job, [work], {work.weights_hash: features}, request, course, report)


def _probe(
    job: ProbeJob,
    work: Sequence[Work],
    features: Mapping[str, Features],
    request: Request,
    course: _Course,
    report: Report,
) -> None:
    encoders = {each.candidate.label: features[each.weights_hash] for each in work}
    per_fold = [evaluate(part, encoders, device=request.device, report=report) for part in job.per_fold()]
    for each, outcomes in zip(work, zip(*per_fold, strict=True), strict=True):
        _say(each.candidate.label, job, outcomes, report)
        course.scored(each.weights_hash, job, outcomes)


def _say(label: str, job: ProbeJob, outcomes: Sequence[Outcome], report: Report) -> None:
    metric = job.task.metrics[0]

    def said(folds: Sequence[Sequence[Mapping[str, float]]]) -> str:
        return metric.format(mean(mean_over_folds(folds, metric.name)))

    scores = f"dev {said([each.dev for each in outcomes])}, test {said([each.test for each in outcomes])}"
    choices = [each.swept.text() for each in outcomes]
    if len(outcomes) > 1:
        choices = [
            f"fold {part.fold}: {said([each.test])}, {each.swept.text()}"
            for part, each in zip(job.per_fold(), outcomes, strict=True)
        ]
        scores += f", mean of {len(outcomes)} folds"
    seeds = [f"mean of {len(job.seeds)} seeds"] if len(job.seeds) > 1 else []
    report(Note(f"{label}: {metric.title} {scores} ({'; '.join([*choices, *seeds])})"))
    for part, each in zip(job.per_fold(), outcomes, strict=True):
        _warn_of_edge(label, part, each.swept, report)


def _warn_of_edge(label: str, job: ProbeJob, swept: Swept, report: Report) -> None:
    if swept.is_edge and swept.learning_rate is not None:
        which = "smallest" if swept.learning_rate == swept.tried[0][0] else "largest"
        report(
            Note(
                f"{label}: the best learning rate for {job.title}, {swept.learning_rate:g}, is the {which} tried; "
                f"evaluate.learning_rates.{job.task.name} can reach further",
                important=True,
            )
        )


def _groups(
    job: ProbeJob, work: Sequence[Work], features: Mapping[str, Features], *, most: int
) -> Iterator[list[Work]]:
    """Yields encoders of one shape whose features and probes fit into memory together, at least one each."""
    parts = job.per_fold()
    count = max(sum(map(len, part.splits.splits.values())) for part in parts)
    classes = max(len(set(part.targets("train"))) for part in parts)
    by_shape: dict[tuple[int, int], list[Work]] = {}
    for each in work:
        _, layers, width = features[each.weights_hash].pooled(parts[0].heard("dev")[:1]).shape
        by_shape.setdefault((layers, width), []).append(each)
    for (layers, width), alike in by_shape.items():
        vectors = 4 * count * layers * width
        # weights, gradients, Adam's two moments and the best so far, in fp32, of a head of projection 256
        probes = 5 * 4 * 256 * (width + classes) * len(job.learning_rates) * len(job.seeds)
        size = max(1, most // (vectors + probes))
        for first in range(0, len(alike), size):
            yield alike[first : first + size]


def _needs(work: Work) -> Needs:
    pooled = [each for job in work.jobs if job.task.is_pooled for each in job.everything()]
    frames = [each for job in work.jobs if not job.task.is_pooled for each in job.everything()]
    return Needs(pooled, frames)


def _builder(work: Work, request: Request, heard: CnnOutputs | None) -> Callable[[], FrozenEncoder]:
    def build() -> FrozenEncoder:
        encoder = build_candidate(
            work.candidate,
            request.likely_family,
            base=request.base_path,
            device=request.device,
            exact_padding=request.keeping.batching == "exact",
        )
        # of the weights in the network itself: this is what is scored
        if weights_hash(encoder.weights()) != work.weights_hash:
            raise RequestError(
                f"{work.candidate.path}: has changed since this run began", "wait for it to be done, then rerun"
            )
        if heard is not None and isinstance(encoder, Encoder):
            encoder.share_cnn(heard)
        return encoder

    return build
