"""s3prl's downstream YAML, read as an experiment of ours: what it says that has a key here, and what can't be carried.

Source: s3prl 0.4.18, `downstream/*/config.yaml`, and github.com/nervjack2/Speech-FT, `asr_ted` and `emotion`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from speechft_cli.config.dotted import leaves
from speechft_cli.config.downstream_recipes import CORPUS, DATA, LOADER, Carried, recipe_of
from speechft_cli.errors import RequestError

#: Key → ours, where the value stays as it is.
_SAME = {
    "runner.total_steps": "finetune.steps",
    "runner.gradient_clipping": "finetune.gradient_clip",
    "runner.gradient_accumulate_steps": "finetune.batches_per_update",
    "runner.log_step": "finetune.log_every",
    "runner.eval_step": "finetune.evaluate_every",
    "runner.save_step": "finetune.save_every",
    "optimizer.lr": "finetune.learning_rate",
    f"{DATA}.num_workers": "finetune.workers",
    f"{CORPUS}.num_workers": "finetune.workers",
    f"{LOADER}.num_workers": "finetune.workers",
    f"{DATA}.root": "prepare.root",
    f"{DATA}.file_path": "prepare.root",
    f"{DATA}.libri_root": "prepare.root",
    f"{DATA}.speech_commands_root": "prepare.root",
    f"{CORPUS}.path": "prepare.root",
}
#: Keys that only serve s3prl's own machinery, or stand for what is so here, too.
_NEEDLESS = (
    "runner.max_keep",
    "runner.eval_dataloaders",
    f"{DATA}.bucket_file",
    f"{DATA}.dict_path",
    f"{DATA}.pre_load",
    f"{DATA}.zero_infinity",
    f"{DATA}.eval_batch_size",
    f"{DATA}.frame_shift",
    f"{DATA}.subsampling",
    f"{DATA}.label_delay",
    f"{DATA}.num_speakers",
    f"{DATA}.rate",
    f"{LOADER}.eval_batchsize",
    f"{LOADER}.dev_dir",
    f"{LOADER}.test_dir",
    f"{CORPUS}.name",
    f"{CORPUS}.bucketing",
    f"{CORPUS}.valid_speakers",
    f"{CORPUS}.test_speakers",
    "downstream_expert.save_best_on",
    "downstream_expert.scorerc",
    "downstream_expert.metric",
    "downstream_expert.text",
)
#: Beginning of keys → why nothing there is carried.
_ELSEWHERE = {
    "downstream_expert.modelrc": "the head is the task's own: docs/tasks.md",
    "downstream_expert.model": "the head is the task's own: docs/tasks.md",
    "specaug": "the masks are the published ones: docs/tasks.md",
    f"{DATA}.decoder_args": "beam search is for probes: evaluate.language_model",
    f"{DATA}.dev-other": "dev is dev-clean; prepare.splits can say otherwise",
    f"{DATA}.test-other": "test is test-clean; prepare.splits can say otherwise",
    f"{DATA}.speech_commands_test_root": "prepare finds speech_commands_test_set_v0.01 in or beside prepare.root",
    f"{DATA}.train_meta_data": "prepare splits by iden_split.txt in prepare.root: docs/corpora.md",
    f"{DATA}.dev_meta_data": "prepare splits by iden_split.txt in prepare.root: docs/corpora.md",
    f"{DATA}.test_meta_data": "prepare takes the trials of voxceleb1_test_v2.txt in prepare.root",
    f"{DATA}.chunk_size": "whole recordings are heard, not chunks",
    f"{LOADER}.train_dir": "Kaldi's folders are not read: list the recordings for prepare manifest, with segments",
    f"{CORPUS}.csv_dir": "prepare reads LibriSpeech itself: set prepare.root, and prepare.splits for parts of it",
    f"{CORPUS}.train_speakers": "prepare takes SUPERB's speakers for train, dev and test, whichever are named here",
}
#: Read together with others.
_READ = (
    "scheduler.name",
    "scheduler.num_warmup_steps",
    "grad_scheduler.finetune_steps",
    f"{DATA}.dev-clean",
    f"{DATA}.test-clean",
    f"{CORPUS}.dev",
    f"{CORPUS}.test",
)


def from_downstream(tree: Mapping[str, object], where: str) -> Carried:
    """Translates a downstream YAML.

    Args:
        tree: The file.
        where: Its name, for messages.

    Raises:
        RequestError: It is none, or of a task we do not have.
    """
    keys = dict(leaves(tree))
    recipe = recipe_of(keys, where)
    carried = Carried(
        keys,
        recipe,
        {
            "finetune.task": recipe.task,
            "prepare.corpus": recipe.corpus,
            # s3prl leaves out nothing that is short, but the published TED-LIUM recipe does
            "finetune.min_seconds": None if recipe.corpus == "tedlium" else 0.1,
            # without -f s3prl trains a head on a frozen encoder, which is a probe
            "evaluate.tasks": [recipe.task],
        },
    )
    for key, value in keys.items():
        if key in _SAME:
            carried.answers[_SAME[key]] = value
        elif key in _RULES:
            _RULES[key](value, carried)
        elif key not in _READ and not key.startswith(_NEEDLESS):
            section = next((each for each in _ELSEWHERE if key.startswith(each)), "")
            carried.left.setdefault(section or key, _ELSEWHERE.get(section, "no key here does this"))
    if recipe.is_masked and "specaug" not in carried.left:
        carried.left["specaug"] = "is not there, but this task masks features in training: docs/tasks.md"
    _schedule(carried)
    return carried


def _number(value: object, key: str) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise RequestError(f"{key}: must be a number, got {value!r}") from None


def _batch(value: object, carried: Carried) -> None:
    recipe = carried.recipe
    value = carried.keys.get(f"{DATA}.batch_size", value)  # where both are there, s3prl reads this one
    seconds = _number(value, "batch size") * recipe.batch_share * recipe.seconds
    carried.answers["finetune.batch_seconds"] = seconds
    halved = ", which its code halves," if recipe.batch_share < 1 else ""
    carried.left["batch size"] = (
        f"{value} utterances{halved} became {seconds:g} s, at {recipe.seconds:g} s each on average: here batches are "
        "seconds"
    )


def _fold(value: object, carried: Carried) -> None:
    carried.answers["prepare.splits"] = {"test": [f"Session{str(value).removeprefix('fold')}"]}


def _dev_share(value: object, carried: Carried) -> None:
    if _number(value, "valid_ratio") != 0.2:
        carried.left[f"{DATA}.valid_ratio"] = "dev is a fifth of what is not test"


def _list(value: object, carried: Carried) -> None:
    if carried.recipe.task == "sid":
        carried.left[f"{DATA}.meta_data"] = f"prepare looks for this list in prepare.root: copy {value} there"


def _crop(value: object, carried: Carried) -> None:
    if carried.recipe.task == "asv":
        carried.left[f"{DATA}.max_timestep"] = "whole utterances are heard; finetune.max_seconds leaves out longer ones"
        return
    carried.answers["finetune.crop_seconds"] = _number(value, "max_timestep") / 16_000


def _shortest(value: object, carried: Carried) -> None:
    carried.answers["finetune.min_seconds"] = _number(value, "min_sec") / 16_000


def _parts(value: object, carried: Carried) -> None:
    if isinstance(value, list):  # else the name of a list, which prepare does not read
        dev, test = (
            carried.keys.get(f"{DATA}.{name}-clean", carried.keys.get(f"{CORPUS}.{name}", [f"{name}-clean"]))
            for name in ("dev", "test")
        )
        carried.answers["prepare.splits"] = {"train": value, "dev": dev, "test": test}


def _lexicon(value: object, carried: Carried) -> None:
    names = value if isinstance(value, list) else [value]
    carried.answers["prepare.lexicon"] = names[0]
    if len(names) > 1:
        carried.left[f"{CORPUS}.lexicon"] = f"one lexicon is read, the first: {names[0]}"


def _optimizer(value: object, carried: Carried) -> None:
    if value not in ("Adam", "TorchOptim"):
        carried.left["optimizer"] = f"the optimizer is Adam, not {value}"


def _half(value: object, carried: Carried) -> None:
    carried.answers["finetune.precision"] = "fp16" if value else "fp32"


_RULES: Mapping[str, Callable[[object, Carried], None]] = {
    "runner.fp16": _half,
    f"{DATA}.train_batch_size": _batch,
    f"{DATA}.batch_size": _batch,
    f"{CORPUS}.batch_size": _batch,
    f"{LOADER}.train_batchsize": _batch,
    f"{DATA}.test_fold": _fold,
    f"{DATA}.valid_ratio": _dev_share,
    f"{DATA}.meta_data": _list,
    f"{DATA}.max_timestep": _crop,
    f"{DATA}.vad_config.min_sec": _shortest,
    f"{DATA}.train": _parts,
    f"{CORPUS}.train": _parts,
    f"{CORPUS}.lexicon": _lexicon,
    "optimizer.name": _optimizer,
    "optimizer.torch_optim_name": _optimizer,
}


def _schedule(carried: Carried) -> None:
    """Writes the learning rate's way and the frozen phase; without a scheduler s3prl keeps the rate."""
    keys = carried.keys
    name = keys.get("scheduler.name")
    steps = _number(keys["runner.total_steps"], "runner.total_steps")
    rise = _number(keys.get("scheduler.num_warmup_steps", 0), "scheduler.num_warmup_steps") / max(steps, 1)
    shares = {
        None: (0.0, 1.0),
        "stable_finetuning_schedule": (0.1, 0.4),
        "linear_schedule_with_warmup": (rise, 0.0),
    }.get(None if name is None else str(name))
    if shares is None:
        shares = (rise, 1 - rise)
        if name != "constant_decay_schedule_with_warmup":
            carried.left["scheduler.name"] = f"{name} is not known; the rate is constant, once it has risen"
    carried.answers["finetune.warmup_share"], carried.answers["finetune.hold_share"] = shares
    frozen = _number(keys.get("grad_scheduler.finetune_steps", 0), "grad_scheduler.finetune_steps")
    if frozen:
        carried.answers["finetune.frozen_share"] = frozen
        carried.left["grad_scheduler.finetune_steps"] = "carried, and done: the published code reads it nowhere"
    else:
        carried.answers["finetune.strategy"] = "regular"
