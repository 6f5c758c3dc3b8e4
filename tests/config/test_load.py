"""Reading a config: precedence, origins, paths, and every problem at once."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from speechft_cli.cli.commands.finetune import _tasks
from speechft_cli.config.alphas import alpha_name
from speechft_cli.config.load import load_config
from speechft_cli.errors import ConfigError


def _write(folder: Path, text: str, name: str = "speechft.yaml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _problems(path: Path | None, *sets: str, **flags: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(path, sets=sets, flags=flags)
    assert caught.value.exit_code == 2
    return list(caught.value.problems)


def test_a_flag_beats_set_beats_the_file_beats_the_default(tmp_path: Path) -> None:
    path = _write(tmp_path, "seed: 1\nfinetune:\n  steps: 10\n  log_every: 5\n  task: sid\n")
    loaded = load_config(
        path, sets=["finetune.steps=20", "finetune.log_every=7"], flags={"finetune.steps": 30, "finetune.task": None}
    )
    assert loaded.config.finetune is not None
    assert loaded.config.finetune.steps == 30
    assert loaded.config.finetune.log_every == 7
    assert loaded.config.finetune.task == "sid"
    assert loaded.config.finetune.evaluate_every == 2000
    assert {key: str(origin) for key, origin in loaded.origins.items()} == {
        "seed": f"{path}:1",
        "finetune": f"{path}:2",
        "finetune.steps": "flag",
        "finetune.log_every": "--set",
        "finetune.task": f"{path}:5",
    }


def test_a_flag_creates_the_section_it_touches() -> None:
    config = load_config(None, flags={"merge.alphas": "0:1:0.5"}).config
    assert config.merge is not None
    assert config.merge.alphas == (Decimal("0"), Decimal("0.5"), Decimal("1"))
    assert config.finetune is None


def test_every_problem_is_told_with_its_line_and_the_nearest_name(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        "sed: 1\nfinetune:\n  stepps: 10\n  learning_rate: fast\n  lr: 1e-4\nmerge:\n  alphas: 0:1\nxyzzy: 1\n",
    )
    assert _problems(path, "evaluate.tasks=[]", **{"prepare.hours": -1.0}) == [
        "--set: evaluate.tasks: must be a list with at least one item, got []",
        f"{path}:1: sed: unknown key; did you mean 'seed'?",
        f"{path}:3: finetune.stepps: unknown key; did you mean 'steps'?",
        f"{path}:4: finetune.learning_rate: must be a number, got 'fast'",
        f"{path}:5: finetune.lr: unknown key; did you mean 'learning_rate'?",
        f"{path}:7: merge.alphas: must be START:STOP:STEP, got '0:1'",
        f"{path}:8: xyzzy: unknown key; must be one of encoder, evaluate, finetune, merge, name, output_dir, prepare, "
        "seed, got 'xyzzy'",
        "flag: prepare.hours: must be greater than 0, got -1.0",
    ]


def test_a_path_where_a_list_belongs_is_told_as_it_is_written_in_a_shell(tmp_path: Path) -> None:
    path = _write(tmp_path, "merge: {tuned: run}\n")
    (problem,) = _problems(path)
    assert problem == f"{path}:1: merge.tuned: must be a list, as in [a, b], got '{tmp_path}/run'"


def test_an_exponent_without_a_point_is_a_number(tmp_path: Path) -> None:
    path = _write(tmp_path, "finetune: {learning_rate: 1e-4, gradient_clip: 2E0}\n")
    finetune = load_config(path).config.finetune
    assert finetune is not None
    assert (finetune.learning_rate, finetune.gradient_clip) == (1e-4, 2.0)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ('seed: "1"', "seed: must be a whole number, got '1'"),
        ("seed: true", "seed: must be a whole number, got True"),
        ('finetune: {steps: "10"}', "finetune.steps: must be a whole number, got '10'"),
        ('finetune: {learning_rate: "1e-4"}', "finetune.learning_rate: must be a number, got '1e-4'"),
        ("evaluate: {crop_seconds: true}", "evaluate.crop_seconds: must be a number, got True"),
        ("finetune: {compile: yes}", "finetune.compile: must be true or false, got 'yes'"),
        ("prepare: {shards: 1}", "prepare.shards: must be true or false, got 1"),
        ('merge: {weights: [["1"]]}', "merge.weights.0.0: must be a number, got '1'"),
        ("merge: {file_name: README.md}", "merge.file_name: must be a file name that ends in .pt, got 'README.md'"),
        ("merge: {file_name: merge.json}", "merge.file_name: must be a file name that ends in .pt, got 'merge.json'"),
        ("merge: {file_name: .pt}", "merge.file_name: must be a file name that ends in .pt, got '.pt'"),
        ("merge: {file_name: a/b.pt}", "merge.file_name: must be a file name that ends in .pt, got 'a/b.pt'"),
    ],
)
def test_a_value_of_another_kind_is_refused_whatever_it_spells(tmp_path: Path, given: str, problem: str) -> None:
    path = _write(tmp_path, given)
    assert _problems(path) == [f"{path}:1: {problem}"]


def test_a_whole_number_may_have_an_exponent(tmp_path: Path) -> None:
    config = load_config(_write(tmp_path, "finetune: {steps: 1e5, learning_rate: 1}")).config
    assert config.finetune is not None
    assert (config.finetune.steps, config.finetune.learning_rate) == (100_000, 1.0)


def test_an_unquoted_grid_is_no_time_of_day(tmp_path: Path) -> None:
    merge = load_config(_write(tmp_path, "merge:\n  alphas: 0:1:0.25\n")).config.merge
    assert merge is not None
    assert merge.alphas is not None
    assert [alpha_name(alpha) for alpha in merge.alphas] == ["0", "0.25", "0.5", "0.75", "1"]


def test_no_is_a_name_and_not_false(tmp_path: Path) -> None:
    assert load_config(_write(tmp_path, "name: no\n")).config.name == "no"


def test_paths_are_relative_to_the_file_and_flags_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    path = _write(
        tmp_path / "home",
        "prepare: {root: corpus, splits: {train: [a]}}\n"
        "merge: {base: ../b.pt, tuned: [t1.pt, /t2.pt]}\n"
        "evaluate: {models: {x: x.pt}}\n",
    )
    config = load_config(path, sets=["evaluate.out=here"], flags={"merge.out": Path("there")}).config
    assert config.prepare is not None
    assert config.merge is not None
    assert config.evaluate is not None
    home = tmp_path / "home"
    assert config.prepare.root == home / "corpus"
    assert config.prepare.splits == {"train": ["a"]}
    assert config.merge.base == home / ".." / "b.pt"
    assert config.merge.tuned == [home / "t1.pt", Path("/t2.pt")]
    assert config.merge.out == elsewhere / "there"
    assert config.evaluate.models == {"x": home / "x.pt"}
    assert config.evaluate.out == elsewhere / "here"
    assert config.output_dir == home / "runs" / "speechft"


def test_the_output_folder_carries_the_name(tmp_path: Path) -> None:
    path = _write(tmp_path, "name: mine\n")
    assert load_config(path).config.output_dir == tmp_path / "runs" / "mine"
    assert load_config(path, flags={"name": "yours"}).config.output_dir == tmp_path / "runs" / "yours"


def test_a_key_said_twice_is_an_error(tmp_path: Path) -> None:
    path = _write(tmp_path, "seed: 1\nfinetune:\n  steps: 1\n  steps: 2\nseed: 3\n")
    assert _problems(path) == [
        f"{path}:4: finetune.steps: must be said once, but is also in line 3",
        f"{path}:5: seed: must be said once, but is also in line 1",
    ]


def test_a_slip_in_a_list_is_told_with_its_own_line(tmp_path: Path) -> None:
    text = "merge:\n  filters:\n    - match: norm\n      scale: 0\n    - match: bias\n      scal: 0\n"
    path = _write(tmp_path, text)
    assert _problems(path) == [f"{path}:6: merge.filters.1.scal: unknown key; did you mean 'scale'?"]
    path = _write(tmp_path, text.replace("scal:", "match:"))
    assert _problems(path) == [f"{path}:6: merge.filters.1.match: must be said once, but is also in line 5"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert _problems(tmp_path / "none.yaml") == [f"{tmp_path}/none.yaml: must be a file, but there is none"]


def test_an_unknown_key_in_the_middle_of_a_set_is_not_looked_for_in_the_file(tmp_path: Path) -> None:
    path = _write(tmp_path, "finetune:\n  steps: 10\n")
    assert _problems(path, "finetune.label.sid=name") == ["--set: finetune.label: unknown key; did you mean 'labels'?"]


def test_what_is_no_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    path = _write(tmp_path, "seed: 1\nfinetune: [\n")
    (problem,) = _problems(path)
    assert problem.startswith(f"{path}:3: is no YAML: ")


def test_a_list_is_no_config(tmp_path: Path) -> None:
    path = _write(tmp_path, "- seed\n")
    assert _problems(path) == [f"{path}:1: must be a mapping of keys to values"]


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    assert load_config(_write(tmp_path, "# nothing\n")).config.seed == 1337


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("steps", "--set: must be KEY=VALUE, got 'steps'; for example --set finetune.steps=1000"),
        ("=3", "--set: must be KEY=VALUE, got '=3'; for example --set finetune.steps=1000"),
        ("seed=[", "--set seed: must be a YAML value such as 3, [1, 2] or 'a text', got '['"),
    ],
)
def test_a_set_that_is_no_assignment_is_refused(text: str, problem: str) -> None:
    assert _problems(None, text) == [problem]


def test_a_set_may_hold_an_equals_sign() -> None:
    config = load_config(None, sets=["evaluate.models={a: /x/lr=1.pt}"]).config
    assert config.evaluate is not None
    assert config.evaluate.models == {"a": Path("/x/lr=1.pt")}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("merge: {alpha: 0.5, alphas: 0:1:1}", "merge: must have either 'alpha' or 'alphas', got both"),
        (
            "encoder: {checkpoint: a.pt, init: random}",
            "encoder: must have either 'checkpoint' or 'init: random', got both",
        ),
        ("finetune: {warmup_share: 0.7, hold_share: 0.4}", "warmup_share + hold_share must be at most 1, got 1.1"),
    ],
)
def test_keys_that_exclude_each_other_are_refused(tmp_path: Path, text: str, problem: str) -> None:
    (found,) = _problems(_write(tmp_path, text))
    assert found.endswith(problem)


def test_the_published_merge_yaml_is_read_as_ours(tmp_path: Path) -> None:
    path = _write(
        tmp_path,
        "merge_method: linear\nalpha: 0.25\nbase_model_name: hubert\nbase_model_ckpt_path: base.pt\n"
        "finetune_model_paths: [a.ckpt]\noutput_dir: merged\n",
    )
    config = load_config(path).config
    assert config.merge is not None
    assert config.encoder is not None
    assert config.encoder.family == "hubert"
    assert config.merge.base == tmp_path / "base.pt"
    assert config.merge.tuned == [tmp_path / "a.ckpt"]
    assert config.merge.chosen_alphas == (Decimal("0.25"),)
    assert not config.merge.is_grid
    assert config.merge_dir / config.merge.file_name == tmp_path / "merged" / "merged_model.pt"


@pytest.mark.parametrize(
    ("theirs", "family", "stock"),
    [
        ("hubert", "hubert", "hubert-base"),
        ("wav2vec2", "wav2vec2", "wav2vec2-base"),
        ("wavlm_base_plus", "wavlm", "wavlm-base-plus"),
        ("decoar2", "decoar2", "decoar2"),
    ],
)
def test_the_published_merge_yaml_names_a_stock_encoder(tmp_path: Path, theirs: str, family: str, stock: str) -> None:
    text = f"base_model_name: {theirs}\nbase_model_ckpt_path: ''\nfinetune_model_paths: [a.ckpt]\noutput_dir: merged\n"
    config = load_config(_write(tmp_path, text)).config
    assert config.merge is not None
    assert config.encoder is not None
    assert (config.encoder.family, config.merge.base) == (family, Path(stock))


def test_an_unknown_key_of_the_published_merge_yaml_is_told_with_its_line(tmp_path: Path) -> None:
    path = _write(tmp_path, "finetune_model_paths: [a.ckpt]\nalpha: 0.25\nalpa: 3\n")
    (problem,) = _problems(path)
    assert problem.startswith(f"{path}:3: alpa: unknown key; ")


def test_a_size_that_the_family_has_not_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "speechft.yaml"
    path.write_text("encoder: {family: decoar2, init: random, size: large}\n")
    with pytest.raises(ConfigError, match="size must be one of tiny, base for decoar2, got 'large'"):
        load_config(path)


def test_an_encoder_may_be_a_name_where_no_such_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    file = tmp_path / "a.yaml"
    file.write_text("evaluate: {models: {fbank: logmel, mine: mine.pt}}\nmerge: {tuned: [logmel, run]}\n")
    (tmp_path / "elsewhere" / "logmel").touch()  # of no concern to the file
    loaded = load_config(file, flags={"encoder.checkpoint": Path("random:hubert-tiny")}).config
    assert loaded.evaluate is not None
    assert loaded.evaluate.models == {"fbank": Path("logmel"), "mine": tmp_path / "mine.pt"}
    assert loaded.merge is not None
    assert loaded.merge.tuned == [Path("logmel"), tmp_path / "run"]
    assert loaded.encoder is not None
    assert loaded.encoder.checkpoint == Path("random:hubert-tiny")
    (tmp_path / "logmel").touch()
    loaded = load_config(file).config
    assert loaded.evaluate is not None
    assert loaded.evaluate.models["fbank"] == tmp_path / "logmel"


def test_a_task_on_the_command_line_takes_the_place_of_the_files_and_several_share_the_updates(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("finetune: {tasks: {er: 1, ks: 3}}\n")

    def weights(*names: str) -> dict[str, float]:
        section = load_config(path, flags=_tasks(names)).config.finetune
        assert section is not None
        return section.weighted_tasks

    assert weights() == {"er": 1.0, "ks": 3.0}
    assert weights("pr") == {"pr": 1.0}
    assert weights("pr", "sid", "pr") == {"pr": 2.0, "sid": 1.0}
