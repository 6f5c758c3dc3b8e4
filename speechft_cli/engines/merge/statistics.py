"""Statistics of the tuned models, for merge methods that ask for them: measured on manifests, once for each model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.merge import MergeSection
from speechft_cli.encoders.formats.safetensors import read_tensors, write_tensors
from speechft_cli.engines.merge.measurement import Measurement
from speechft_cli.engines.merge.sources import Sources
from speechft_cli.errors import RequestError
from speechft_cli.events import Note, Report
from speechft_cli.io.arrays import Array, to_array
from speechft_cli.io.atomic import atomic_path
from speechft_cli.io.hashes import weights_hash

#: Folder in the output folder that statistics lie in.
FOLDER = "statistics"
#: What a file of statistics calls the hash of its numbers.
_NUMBERS = "numbers_sha256"


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        arrays: Of each tuned model: tensor → its statistic.
        record: Of each tuned model, what merge.json says of it.
    """

    arrays: Sequence[Mapping[str, Array]]
    record: Sequence[Mapping[str, str]]


def measure(
    config: Config, sources: Sources, wanted: Measurement, hashes: Sequence[str], moved: set[str], report: Report
) -> Measured:
    """Measures what is not in the output folder yet.

    Args:
        config: Says where, on what and on which device.
        sources: The models.
        wanted: What to measure.
        hashes: Of the tuned models' weights.
        moved: Tensors that some tuned model has changed; of a CNN that none has changed nothing is measured.
        report: Told how far it is.

    Raises:
        RequestError: No utterance can be used for a model.
        SpeechftError: A gradient is not finite, or the disk is full; what was measured of other models stays.
    """
    family, section = sources.base.family, (config.merge or MergeSection()).statistics
    with_cnn = any(family.is_cnn(name) for name in moved)
    names = [name for name in sources.plan.merged if with_cnn or not family.is_cnn(name)]
    arrays, records = [], []
    for number, (each, digest) in enumerate(zip(sources.tuned, hashes, strict=True)):
        key = wanted.key(number, digest, with_cnn)
        place = config.merge_dir / FOLDER / f"{wanted.statistic.name}-{key[:16]}.safetensors"
        kept = _kept(place, report)
        if kept is None:
            from speechft_cli.engines.merge.listening import listen  # which needs torch; what is there does not

            model = sources.alone(each)
            made, facts = listen(model, wanted, number, names, str(each.path), device=section.device, report=report)
            numbers = {name: to_array(tensor) for name, tensor in made.items()}
            with atomic_path(place) as unfinished:
                write_tensors(numbers, unfinished, {**facts, _NUMBERS: weights_hash(numbers)})
            kept = read_tensors(place)
        found, facts = kept
        arrays.append(found)
        records.append({"path": str(each.path), "data": str(wanted.data[number]), "file": str(place), **facts})
    return Measured(arrays, records)


def _kept(place: Path, report: Report) -> tuple[dict[str, Array], dict[str, str]] | None:
    """Statistics that were measured before; None where there are none, or not the numbers that were written."""
    if not place.exists():
        return None
    try:
        arrays, facts = read_tensors(place)
        if facts.get(_NUMBERS) == weights_hash(arrays):
            return arrays, facts
    except RequestError:
        pass
    report(Note(f"{place}: is not what was written, so it is measured again", important=True))
    return None
