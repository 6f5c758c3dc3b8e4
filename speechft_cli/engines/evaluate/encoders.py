"""Which encoders an evaluation compares: those that are named, those of a grid, or those of an experiment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from speechft_cli.config.schema import Config
from speechft_cli.config.sections.evaluate import EvaluateSection
from speechft_cli.data.audio import SAMPLE_RATE
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.encoders.formats import read_encoder
from speechft_cli.encoders.local import recorded_path
from speechft_cli.encoders.verification import difference, s3prl_features
from speechft_cli.engines.evaluate.grid import grid_candidates
from speechft_cli.errors import RequestError
from speechft_cli.events import Note, Report
from speechft_cli.io.hashes import weights_hash
from speechft_cli.io.run_folder import recorded_base
from speechft_cli.probing.candidates import (
    BASE,
    TUNED,
    Candidate,
    all_in,
    build_candidate,
    named,
    of_experiment,
    read_candidate,
)

#: Of features that are equal but for rounding, where the largest feature of a layer is 1.
_TOLERANCE = 1e-5


def find_candidates(config: Config, section: EvaluateSection, report: Report) -> list[Candidate]:
    """Returns the encoders to compare, in the order of the tables.

    Raises:
        RequestError: There are none, two have the same label, or one can't be read.
        ConfigError: A merge method or a parameter of a grid is wrong.
    """
    models = [
        each
        for label, path in section.models.items()
        for each in all_in(label, path) or [named(label, path, seed=config.seed)]
    ]
    if section.interpolate:
        found = grid_candidates(config, report)
        twice = sorted({each.label for each in found} & section.models.keys())
        if twice:
            raise RequestError(
                f"evaluate.models: must have other labels than the grid's, got {', '.join(twice)}", "--model LABEL=PATH"
            )
        return [*found, *models]
    if models:
        return models
    merge = config.merge
    base = (merge.base if merge else None) or (config.encoder.checkpoint if config.encoder else None)
    if base is None and (recorded := recorded_base(config.run_dir)) is not None:
        base = recorded_path(recorded)
    has_run = (config.run_dir / "best" / "encoder.pt").is_file()
    tuned = list(merge.tuned) if merge and merge.tuned else [config.run_dir] if has_run else []
    found = of_experiment(base=base, tuned=tuned, merged=config.merge_dir)
    missing = [
        what
        for what, is_there in (
            ("base encoder (merge.base, encoder.checkpoint)", base is not None),
            (f"tuned encoder ({config.run_dir / 'best' / 'encoder.pt'})", bool(tuned)),
            (f"merged encoder ({config.merge_dir})", any(each.alpha is not None for each in found)),
        )
        if not is_there
    ]
    if not found:
        raise RequestError(
            "evaluate.models: must name encoders when there is no experiment; no " + ", no ".join(missing),
            "speechft evaluate --model LABEL=PATH --task sid --data DIR --out DIR",
        )
    for what in missing:
        report(Note(f"nothing to evaluate as {what}"))
    return found


def likely_family(config: Config, candidates: Sequence[Candidate], report: Report) -> EncoderFamily | None:
    """Returns the family of an encoder whose file does not tell: the config's, else that of the first one in a file."""
    if config.encoder is not None and config.encoder.family is not None:
        return ENCODERS.get(config.encoder.family)
    pretrained = [each for each in candidates if each.baseline is None]
    first = next((each for each in pretrained if each.make is None), None)
    return None if first is None else read_encoder(first.path, report=report).family


@dataclass(frozen=True)
class Loaded:
    """What is known of an encoder that was loaded.

    Attributes:
        kind: Family, or what else it is.
        weights_hash: Of its weights as they load.
        configuration: Hash of what else its features depend on; empty for a baseline.
    """

    kind: str
    weights_hash: str
    configuration: str


def load(
    candidate: Candidate, likely: EncoderFamily | None, base: Path | None, crop: float | None, report: Report
) -> Loaded:
    """Loads an encoder once, to see that it can be, and tells it from others.

    Raises:
        RequestError: It does not load, or makes no frame of a crop.
    """
    device = torch.device("cpu")
    encoder = build_candidate(candidate, likely, base=base, device=device, exact_padding=False, report=report)
    if crop is not None and encoder.framing.count(int(crop * SAMPLE_RATE)) == 0:
        raise RequestError(
            f"evaluate.crop_seconds: must be long enough for a frame of {encoder.kind}, got {crop:g}",
            "a second or more",
        )
    return Loaded(encoder.kind, weights_hash(encoder.weights()), encoder.configuration)


def require_one_way(
    candidates: Sequence[Candidate], loaded: Mapping[str, Loaded], likely: EncoderFamily | None, base: Path | None
) -> None:
    """Makes sure that encoders of equal weights make equal features: in one run they are known by their weights' hash.

    Raises:
        RequestError: Two have another configuration, for example of how waveforms are normalised.
    """
    firsts: dict[str, Candidate] = {}
    for each in candidates:
        first = firsts.setdefault(loaded[each.label].weights_hash, each)
        if loaded[each.label].configuration == loaded[first.label].configuration:
            continue
        # files of two formats may say the same in other words
        one, other = (s3prl_features(read_candidate(which, likely, base=base)) for which in (first, each))
        if difference(one, other) > _TOLERANCE:
            raise RequestError(
                f"{each.label}: must make the features of {first.label}, whose weights it has, makes others: its "
                "configuration is another one",
                "take one of them, or evaluate each alone, with an --out of its own",
            )


def of_one_lineage(candidates: Sequence[Candidate], hashes: Mapping[str, str], report: Report) -> list[Candidate]:
    """Leaves out what was merged from another base or tuned encoder than those of the experiment, and says so."""
    kept = []
    for each in candidates:
        strange = [
            label
            for label in (BASE, TUNED)
            if each.alpha is not None and label in hashes and hashes[label] not in each.merged_from.get(label, ())
        ]
        if strange:
            text = f"was merged from another {' and another '.join(strange)} encoder than this experiment's"
            report(Note(f"{each.path}: {text}, so it is left out; speechft merge makes it anew", important=True))
        else:
            kept.append(each)
    return kept
