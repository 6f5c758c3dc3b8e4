"""The YAML files that come with the package."""

from __future__ import annotations

import pytest

from speechft_cli.cli.names import unknown_names
from speechft_cli.config.load import load_config
from speechft_cli.config.templates import template_names, template_path, template_summary
from speechft_cli.errors import RequestError


def test_the_templates_are_found_in_a_checkout() -> None:
    assert {"asr", "demo"} <= set(template_names())


def test_every_scenario_of_the_paper_has_a_template() -> None:
    tasks = {}
    for name in template_names():
        config = load_config(template_path(name)).config
        if config.finetune is not None:
            tasks[name] = (config.encoder.family if config.encoder else None, config.finetune.task)
    assert {tasks[f"asr-tedlium-{name}"] for name in ("hubert", "wav2vec2", "wavlm", "decoar2")} == {
        (name, "asr") for name in ("hubert", "wav2vec2", "wavlm", "decoar2")
    }
    assert [tasks[name][1] for name in ("er-iemocap", "sid-voxceleb1", "cross-lingual")] == ["er", "sid", "hubert"]


def test_the_second_step_takes_what_the_first_wrote() -> None:
    first, merge, second = (
        load_config(template_path(name)).config for name in ("pr-librispeech", "multitask-merge", "sequential-sid")
    )
    speakers = load_config(template_path("sid-voxceleb1")).config
    assert merge.merge is not None
    assert second.encoder is not None
    assert merge.merge.tuned == [first.run_dir, speakers.run_dir]
    assert merge.evaluate is not None
    assert merge.evaluate.data == first.data_dir
    assert second.encoder.checkpoint == first.merge_dir


@pytest.mark.parametrize("name", template_names())
def test_a_template_is_a_valid_config_that_says_what_it_is_for(name: str) -> None:
    assert 20 < len(template_summary(name)) < 100
    load_config(template_path(name), check=unknown_names)


def test_the_asr_template_is_the_recipe_of_the_paper() -> None:
    config = load_config(template_path("asr")).config
    assert config.finetune is not None
    assert config.merge is not None
    assert (config.finetune.steps, config.finetune.frozen_share, config.finetune.learning_rate) == (50_000, 0.1, 1e-4)
    assert [float(alpha) for alpha in config.merge.chosen_alphas] == [0.25]


def test_the_emotion_template_is_the_published_recipe() -> None:
    section = load_config(template_path("er-iemocap")).config.finetune
    assert section is not None
    assert (section.steps, section.evaluate_every, section.learning_rate) == (30_000, 1_000, 1e-4)
    assert section.min_seconds == 0.1  # IEMOCAP's shortest turns are of half a second


def test_an_unknown_template_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(RequestError, match="did you mean 'demo'"):
        template_path("dmeo")
