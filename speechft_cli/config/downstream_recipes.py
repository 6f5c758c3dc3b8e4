"""Which of s3prl's downstream folders a config belongs to; the file itself does not name it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from speechft_cli.errors import RequestError

DATA, CORPUS, LOADER = (f"downstream_expert.{name}" for name in ("datarc", "corpus", "loaderrc"))


@dataclass(frozen=True)
class Recipe:
    """What a downstream folder is to us.

    Attributes:
        marks: Keys that only its config has together.
        task: Our task.
        corpus: Our corpus reader.
        seconds: How long an utterance is on average, for batches [s].
        batch_share: Share of the batch asked for that its code makes one batch of.
    """

    marks: tuple[str, ...]
    task: str
    corpus: str
    seconds: float
    batch_share: float = 1.0

    @property
    def is_masked(self) -> bool:
        """Whether our task masks features in training, whatever the config says."""
        return self.task in ("asr", "sf")


@dataclass
class Carried:
    """A downstream YAML on its way into our words.

    Attributes:
        keys: Their dotted key → value.
        recipe: Which folder the YAML belongs to.
        answers: Our dotted key → value.
        left: Their key → why it was not carried, or how.
    """

    keys: Mapping[str, object]
    recipe: Recipe
    answers: dict[str, object] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


#: The first whose marks are all there counts. The batches of asr are halved by a unit error: docs/reproducing.md.
_RECIPES = (
    Recipe((f"{DATA}.valid_ratio",), "er", "iemocap", 4.5),
    Recipe((f"{DATA}.speech_commands_root",), "ks", "speech-commands", 1.0),
    Recipe((f"{DATA}.libri_root", f"{DATA}.zero_infinity"), "asr", "librispeech", 12.5, 0.5),
    Recipe((f"{DATA}.bucket_file", f"{DATA}.zero_infinity"), "asr", "tedlium", 7.5, 0.5),
    Recipe((f"{DATA}.file_path", f"{DATA}.train_meta_data"), "asv", "voxceleb1", 8.0),
    Recipe((f"{DATA}.file_path", f"{DATA}.meta_data"), "sid", "voxceleb1", 8.0),
    Recipe((f"{DATA}.file_path", "downstream_expert.modelrc.select"), "ic", "fluent-speech-commands", 2.3),
    Recipe((f"{DATA}.chunk_size", f"{DATA}.frame_shift"), "sd", "manifest", 20.0),
)
#: `corpus.name` → the same, for the folder that has several.
_CORPORA = {
    "libriphone": Recipe((), "pr", "librispeech", 12.5),
    "librispeech": Recipe((), "asr", "librispeech", 12.5),
    "snips": Recipe((), "sf", "snips", 4.0),
}


def recipe_of(keys: Mapping[str, object], where: str) -> Recipe:
    """Returns the downstream folder that a config belongs to.

    Args:
        keys: Dotted key → value.
        where: Its file, for messages.

    Raises:
        RequestError: It is no such config, or of a task that nothing is fine-tuned on here.
    """
    if any(key.startswith("downstream_expert.dtwrc.") for key in keys):
        raise RequestError(
            f"{where}: must be of a task that trains, got query by example", "speechft evaluate --task qbe runs it"
        )
    if not any(key.startswith("downstream_expert.") for key in keys) or "runner.total_steps" not in keys:
        raise RequestError(
            f"{where}: must be a downstream config of s3prl, with runner.total_steps and downstream_expert",
            "for example s3prl/downstream/asr/config.yaml",
        )
    name = keys.get(f"{CORPUS}.name")
    there = (each for each in _RECIPES if all(mark in keys for mark in each.marks))
    found = _CORPORA.get(str(name)) if name else next(there, None)
    if found is None:
        raise RequestError(
            f"{where}: must be of asr, pr, sid, asv, sd, er, ks, ic or sf, got one of another task",
            "speechft init writes a config from a few questions",
        )
    return found
