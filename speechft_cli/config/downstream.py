"""s3prl's downstream YAML, read as an experiment of ours: what it says that has a key here, and what can't be carried.

Source: s3prl 0.4.18, `downstream/*/config.yaml`, and github.com/nervjack2/Speech-FT, `asr_ted` and `emotion`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from speechft_cli.errors import RequestError

_DATA = "downstream_expert.datarc"
_CORPUS = "downstream_expert.corpus"
#: Key → ours, where the value stays as it is.
_SAME = {
    "runner.total_steps": "finetune.steps",
    "runner.gradient_clipping": "finetune.gradient_clip",
    "runner.gradient_accumulate_steps": "finetune.batches_per_update",
    "runner.log_step": "finetune.log_every",
    "runner.eval_step": "finetune.evaluate_every",
    "runner.save_step": "finetune.save_every",
    "optimizer.lr": "finetune.learning_rate",
    f"{_DATA}.num_workers": "finetune.workers",
    f"{_CORPUS}.num_workers": "finetune.workers",
    f"{_DATA}.root": "prepare.root",
    f"{_DATA}.file_path": "prepare.root",
    f"{_DATA}.libri_root": "prepare.root",
    f"{_DATA}.speech_commands_root": "prepare.root",
}
#: Keys that only serve s3prl's own machinery.
_NEEDLESS = (
    "runner.max_keep",
    "runner.eval_dataloaders",
    "optimizer.name",
    f"{_DATA}.bucket_file",
    f"{_DATA}.dict_path",
    f"{_DATA}.meta_data",
    f"{_DATA}.pre_load",
    f"{_DATA}.zero_infinity",
    f"{_DATA}.eval_batch_size",
    f"{_DATA}.speech_commands_test_root",
    f"{_CORPUS}.name",
    f"{_CORPUS}.csv_dir",
    f"{_CORPUS}.bucketing",
    "downstream_expert.save_best_on",
    "downstream_expert.metric",
    "downstream_expert.text",
)
#: Section → why nothing in it is carried.
_ELSEWHERE = {
    "downstream_expert.modelrc": "the head is the task's own: docs/tasks.md",
    "downstream_expert.model": "the head is the task's own: docs/tasks.md",
    "specaug": "the masks are the published ones: docs/tasks.md",
    f"{_DATA}.decoder_args": "beam search is for probes: evaluate.language_model",
}


@dataclass(frozen=True)
class Recipe:
    """What can be told of a downstream folder by its keys.

    Attributes:
        mark: Key that only it has.
        task: Our task.
        corpus: Our corpus reader.
        seconds: How long an utterance is on average, for batches [s].
    """

    mark: str
    task: str
    corpus: str
    seconds: float


RECIPES = (
    Recipe(f"{_DATA}.test_fold", "er", "iemocap", 4.5),
    Recipe(f"{_DATA}.speech_commands_root", "ks", "speech-commands", 1.0),
    Recipe(f"{_DATA}.libri_root", "asr", "librispeech", 12.5),
    Recipe(f"{_DATA}.max_timestep", "sid", "voxceleb1", 8.0),
    Recipe(f"{_DATA}.bucket_file", "asr", "tedlium", 7.5),
    Recipe(f"{_DATA}.file_path", "ic", "fluent-speech-commands", 2.3),
)
_CORPORA = {
    "libriphone": Recipe("", "pr", "librispeech", 12.5),
    "librispeech": Recipe("", "asr", "librispeech", 12.5),
    "snips": Recipe("", "sf", "snips", 4.0),
}


@dataclass
class Carried:
    """A downstream YAML in our words.

    Attributes:
        answers: Dotted key → value.
        left: Their key → why it was not carried, or how.
    """

    answers: dict[str, object] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


def from_downstream(tree: Mapping[str, object], where: str) -> Carried:
    """Translates a downstream YAML.

    Args:
        tree: The file.
        where: Its name, for messages.

    Raises:
        RequestError: It is none, or of a task we do not have.
    """
    keys = dict(_leaves(tree))
    if not any(key.startswith("downstream_expert.") for key in keys) or "runner.total_steps" not in keys:
        raise RequestError(
            f"{where}: must be a downstream config of s3prl, with runner.total_steps and downstream_expert",
            "for example s3prl/downstream/asr/config.yaml",
        )
    recipe = _recipe(keys, where)
    carried = Carried({"finetune.task": recipe.task, "prepare.corpus": recipe.corpus})
    for key, value in keys.items():
        if key in _SAME:
            carried.answers[_SAME[key]] = value
        elif key in _RULES:
            _RULES[key](value, keys, recipe, carried)
        elif key not in _READ and not key.startswith(_NEEDLESS):
            section = next((each for each in _ELSEWHERE if key.startswith(each)), "")
            carried.left.setdefault(section or key, _ELSEWHERE.get(section, "no key here does this"))
    _schedule(keys, carried)
    return carried


def _leaves(tree: Mapping[str, object], above: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in tree.items():
        key = f"{above}{name}"
        found += _leaves(value, f"{key}.") if isinstance(value, Mapping) else [(key, value)]
    return found


def _recipe(keys: Mapping[str, object], where: str) -> Recipe:
    name = keys.get(f"{_CORPUS}.name")
    found = _CORPORA.get(str(name)) if name else next((each for each in RECIPES if each.mark in keys), None)
    if found is None:
        raise RequestError(
            f"{where}: must be of asr, pr, sid, er, ks, ic or sf, got one of another task",
            "speechft init writes a config from a few questions",
        )
    return found


def _number(value: object, key: str) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise RequestError(f"{key}: must be a number, got {value!r}") from None


def _batch(value: object, keys: Mapping[str, object], recipe: Recipe, carried: Carried) -> None:
    del keys
    seconds = _number(value, "train_batch_size") * recipe.seconds
    carried.answers["finetune.batch_seconds"] = seconds
    carried.left["batch size"] = (
        f"{value} utterances became {seconds:g} s, at {recipe.seconds:g} s each on average: here batches are seconds"
    )


def _fold(value: object, keys: Mapping[str, object], recipe: Recipe, carried: Carried) -> None:
    del keys, recipe
    carried.answers["prepare.splits"] = {"test": [f"Session{str(value).removeprefix('fold')}"]}


def _crop(value: object, keys: Mapping[str, object], recipe: Recipe, carried: Carried) -> None:
    del keys, recipe
    carried.answers["finetune.crop_seconds"] = _number(value, "max_timestep") / 16_000


def _train(value: object, keys: Mapping[str, object], recipe: Recipe, carried: Carried) -> None:
    if recipe.corpus != "librispeech" or not isinstance(value, list):
        return
    dev, test = (keys.get(f"{_DATA}.{name}-clean", [f"{name}-clean"]) for name in ("dev", "test"))
    carried.answers["prepare.splits"] = {"train": value, "dev": dev, "test": test}


def _lexicon(value: object, keys: Mapping[str, object], recipe: Recipe, carried: Carried) -> None:
    del keys, recipe
    names = value if isinstance(value, list) else [value]
    carried.answers["prepare.lexicon"] = names[0]
    if len(names) > 1:
        carried.left[f"{_CORPUS}.lexicon"] = f"one lexicon is read, the first: {names[0]}"


def _optimizer(value: object, keys: Mapping[str, object], recipe: Recipe, carried: Carried) -> None:
    del keys, recipe
    if value != "Adam":
        carried.left["optimizer.torch_optim_name"] = f"the optimizer is Adam, not {value}"


_Rule = Callable[[object, Mapping[str, object], Recipe, Carried], None]
_RULES: Mapping[str, _Rule] = {
    f"{_DATA}.train_batch_size": _batch,
    f"{_CORPUS}.batch_size": _batch,
    f"{_DATA}.test_fold": _fold,
    f"{_DATA}.max_timestep": _crop,
    f"{_DATA}.train": _train,
    f"{_CORPUS}.lexicon": _lexicon,
    "optimizer.torch_optim_name": _optimizer,
}
#: Read together with others.
_READ = (
    "scheduler.name",
    "scheduler.num_warmup_steps",
    "grad_scheduler.finetune_steps",
    f"{_DATA}.dev-clean",
    f"{_DATA}.test-clean",
    f"{_DATA}.valid_ratio",
    f"{_CORPUS}.train",
    f"{_CORPUS}.dev",
    f"{_CORPUS}.test",
)


def _schedule(keys: Mapping[str, object], carried: Carried) -> None:
    """Writes the learning rate's way and the frozen phase; without a scheduler s3prl keeps the rate."""
    steps = _number(keys["runner.total_steps"], "runner.total_steps")
    name = keys.get("scheduler.name")
    shares = {None: (0.0, 1.0), "stable_finetuning_schedule": (0.1, 0.4)}.get(None if name is None else str(name))
    if name == "linear_schedule_with_warmup":
        shares = (_number(keys.get("scheduler.num_warmup_steps", 0), "scheduler.num_warmup_steps") / steps, 0.0)
    if shares is None:
        carried.left["scheduler.name"] = f"{name} is not known; the rate is constant"
        shares = (0.0, 1.0)
    carried.answers["finetune.warmup_share"], carried.answers["finetune.hold_share"] = shares
    frozen = _number(keys.get("grad_scheduler.finetune_steps", 0), "grad_scheduler.finetune_steps")
    if frozen:
        carried.answers["finetune.frozen_share"] = frozen
        carried.left["grad_scheduler.finetune_steps"] = "carried, and done: the published code reads it nowhere"
    else:
        carried.answers["finetune.strategy"] = "regular"
