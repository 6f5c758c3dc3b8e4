from __future__ import annotations

import subprocess
import sys

import pytest

from speechft_cli.errors import RequestError
from speechft_cli.tasks import TASKS
from speechft_cli.tasks.asr import ASR
from speechft_cli.tasks.heads import RecurrentHead
from speechft_cli.tasks.presets import PRESETS
from speechft_cli.tasks.presets.base import Preset
from speechft_cli.tasks.presets.superb import PLANS


@pytest.fixture(params=list(PRESETS))
def preset(request: pytest.FixtureRequest) -> Preset:
    return PRESETS.get(request.param)


def test_a_preset_has_its_catalogue_name(preset: Preset) -> None:
    assert PRESETS.get(preset.name) is preset


def test_a_preset_has_a_plan_for_its_tasks(preset: Preset) -> None:
    for name in preset.tasks or TASKS:
        plan = preset.plan(TASKS.get(name))
        task = plan.task(TASKS.get(name))
        assert (task.name, task.needs) == (name, TASKS.get(name).needs)
        if name == "qbe":
            assert "nothing is trained" in plan.text()
            assert (plan.steps, plan.learning_rates) == (0, ())
            continue
        assert min(plan.steps, plan.batch_size, plan.evaluations, *plan.learning_rates) > 0
        assert plan.evaluations <= plan.steps
        assert f"{plan.steps} updates of {plan.batch_size} utterances" in plan.text()


def test_superb_has_the_numbers_of_its_published_configs() -> None:
    # updates and effective batch: s3prl/downstream/*/config*.yaml
    assert {name: (plan.steps, plan.batch_size) for name, plan in PLANS.items()} == {
        "pr": (100_000, 32),
        "asr": (200_000, 16),
        "ks": (200_000, 32),
        "ic": (200_000, 32),
        "sid": (200_000, 32),
        "er": (30_000, 32),
        "sf": (200_000, 32),
        "asv": (200_000, 50),
        "sd": (30_000, 32),
        "qbe": (0, 0),
    }


def test_superb_draws_the_classes_of_keyword_spotting_evenly_and_no_others() -> None:
    # s3prl/downstream/speech_commands/expert.py: WeightedRandomSampler, weights of 1 / class count, for train and dev
    assert [name for name, plan in PLANS.items() if plan.is_balanced] == ["ks"]
    assert "classes drawn evenly" in PLANS["ks"].text()


def test_superbs_recognition_head_is_the_large_one() -> None:
    head = PLANS["asr"].task(ASR).probe(768, 32)
    small = ASR.probe(768, 32)

    assert isinstance(head, RecurrentHead)
    assert head.project.out_features == head.recurrent.forward_layers[0].hidden_size == 1024
    assert len(head.recurrent.forward_layers) == 2
    # projection, two directions of two layers, classes; torch's LSTM has two biases
    one, two = 4 * 1024 * (1024 + 1024 + 2), 4 * 1024 * (2048 + 1024 + 2)
    assert sum(each.numel() for each in head.parameters()) == 769 * 1024 + 2 * (one + two) + 2049 * 32
    assert sum(each.numel() for each in small.parameters()) < 5e6


def test_a_quick_look_is_a_fifth_of_the_default_on_fewer_utterances() -> None:
    for name in TASKS:
        quick, default = (PRESETS.get(each).plan(TASKS.get(name)) for each in ("quick", "default"))
        assert quick.steps == default.steps // 5
        assert quick.most is not None
        assert default.most is None


def test_superb_has_no_plan_for_a_task_that_is_not_its_own() -> None:
    from dataclasses import replace

    with pytest.raises(RequestError, match="preset superb: must be for one of SUPERB's tasks"):
        PRESETS.get("superb").plan(replace(ASR, name="other"))


def test_presets_are_read_without_torch() -> None:
    program = (
        "import sys; from speechft_cli.tasks.presets import PRESETS;"
        "assert [PRESETS.get(name) for name in PRESETS]; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
