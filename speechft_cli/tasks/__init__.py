"""Tasks: a head, a loss, a prediction, a score. TASKS is the catalogue; a task is one file and one line here.

One task, `qbe`, has no head: nothing is trained for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from speechft_cli.errors import RequestError
from speechft_cli.registry import Entry, Registry

if TYPE_CHECKING:
    from speechft_cli.tasks.base import Task
    from speechft_cli.tasks.qbe import QueryByExample

    AnyTask = Task | QueryByExample

TASKS: Registry[AnyTask] = Registry(
    "task",
    {
        "asr": Entry(
            "speechft_cli.tasks.asr:ASR",
            "speech recognition in characters, CTC; WER and CER",
            "SUPERB, Yang et al. 2021, arXiv 2105.01051",
        ),
        "asv": Entry(
            "speechft_cli.tasks.asv:ASV",
            "speaker verification of unknown speakers; equal error rate",
            "SUPERB, Yang et al. 2021, arXiv 2105.01051",
        ),
        "er": Entry(
            "speechft_cli.tasks.er:ER",
            "emotion recognition, label emotion; accuracy",
            "SUPERB, Yang et al. 2021, arXiv 2105.01051",
        ),
        "ic": Entry(
            "speechft_cli.tasks.ic:IC",
            "intent classification: action, object, location; accuracy",
            "SUPERB, Yang et al. 2021, arXiv 2105.01051",
        ),
        "ks": Entry(
            "speechft_cli.tasks.ks:KS",
            "keyword spotting, label keyword; accuracy",
            "SUPERB, Yang et al. 2021, arXiv 2105.01051",
        ),
        "pr": Entry(
            "speechft_cli.tasks.pr:PR",
            "phoneme recognition, CTC; PER",
            "SUPERB, Yang et al. 2021, arXiv 2105.01051",
        ),
        "qbe": Entry(
            "speechft_cli.tasks.qbe:QBE",
            "query by example: spoken words found in documents; MTWV",
            "SUPERB, Yang et al. 2021, arXiv 2105.01051",
        ),
        "sd": Entry(
            "speechft_cli.tasks.sd:SD",
            "speaker diarization with overlaps; diarization error rate",
            "SUPERB, Yang et al. 2021, arXiv 2105.01051",
        ),
        "sf": Entry(
            "speechft_cli.tasks.sf:SF",
            "slot filling, CTC; slot-type F1 and slot-value CER",
            "SUPERB, Yang et al. 2021, arXiv 2105.01051",
        ),
        "sid": Entry(
            "speechft_cli.tasks.sid:SID",
            "speaker identification in a closed set; accuracy",
            "SUPERB, Yang et al. 2021, arXiv 2105.01051",
        ),
        "hubert": Entry(
            "speechft_cli.tasks.hubert:HUBERT",
            "pre-training without labels: masked prediction; accuracy",
            "HuBERT, Hsu et al. 2021, arXiv 2106.07447",
        ),
    },
)

#: Task → the field of its target (`Task.needs`, which takes torch to ask), in the order in which they are proposed.
PROPOSED = {
    "asr": "text",
    "pr": "phones",
    "ks": "keyword",
    "er": "emotion",
    "ic": "action+object+location",
    "sid": "speaker",
}


def probed_tasks() -> list[str]:
    """Returns the tasks that a frozen encoder is scored on: the units of `hubert` are made by fine-tuning alone."""
    return [name for name in TASKS if name != "hubert"]


def trained_task(name: str, *, key: str) -> Task:
    """Returns a task that something is trained for.

    Args:
        name: Its name in the catalogue.
        key: What to call the setting in a message.

    Raises:
        RequestError: There is no such task, or nothing is trained for it.
    """
    task = TASKS.get(name)
    if not task.is_trained:
        raise RequestError(
            f"{key}: must be a task that something is trained for, got {name!r}, which only compares features",
            f"speechft evaluate --task {name} scores encoders by it",
        )
    return task
