"""Merging several ways at once: methods, weights, filters, formats; and what else may go on in the folder."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import torch
from torch import Tensor

from speechft_cli.config.load import load_config
from speechft_cli.config.schema import Config
from speechft_cli.encoders.checkpoint import EncoderCheckpoint
from speechft_cli.encoders.formats import converted, read_encoder
from speechft_cli.engines import merge
from speechft_cli.engines.merge import diff
from speechft_cli.errors import ConfigError, InterruptedRunError, RequestError, SpeechftError
from speechft_cli.events import Advanced, Event, Note, Table, ignore


@pytest.fixture(scope="module")
def store(tiny: EncoderCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """base.pt, and one.pt and two.pt that were tuned from it."""
    folder = tmp_path_factory.mktemp("store")
    converted.write(tiny, folder / "base.pt")
    for seed, name in ((1, "one"), (2, "two")):
        generator = torch.Generator().manual_seed(seed)
        moved = {
            key: tensor if tiny.family.is_cnn(key) else tensor + 0.01 * torch.randn(tensor.shape, generator=generator)
            for key, tensor in tiny.weights.items()
        }
        converted.write(tiny.with_weights(moved), folder / f"{name}.pt")
    return folder


def config_of(store: Path, out: Path, **flags: object) -> Config:
    given: dict[str, object] = {"base": store / "base.pt", "tuned": [store / "one.pt"], "out": out, **flags}
    return load_config(None, flags={f"merge.{key}": value for key, value in given.items()}).config


def weights_of(path: Path) -> dict[str, Tensor]:
    return dict(read_encoder(path).weights)


def both(store: Path) -> list[Path]:
    return [store / "one.pt", store / "two.pt"]


# grids of two dimensions


def test_each_method_has_a_folder_with_its_alphas(store: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    config = config_of(
        store, tmp_path, method=["linear", "ties"], parameters={"density": 0.1}, alphas=[0.25, 0.5], tuned=both(store)
    )
    result = merge.run(config, events.append)
    assert sorted(str(path.parent.relative_to(tmp_path)) for path in tmp_path.rglob("encoder.pt")) == [
        "linear/alpha-0.25",
        "linear/alpha-0.5",
        "ties/alpha-0.25",
        "ties/alpha-0.5",
    ]
    record = json.loads((tmp_path / "ties" / "alpha-0.5" / "merge.json").read_text())
    assert record["parameters"]["density"] == 0.1
    assert record["effective_alpha"] == [0.5, 0.5]
    assert "density" not in json.loads((tmp_path / "linear" / "alpha-0.5" / "merge.json").read_text())["parameters"]
    table = events[-1]
    assert isinstance(table, Table)
    assert [row[:2] for row in table.rows] == [
        ("linear", "0.25"),
        ("linear", "0.5"),
        ("ties", "0.25"),
        ("ties", "0.5"),
    ]
    assert merge.run(config, ignore).summary == "merged encoders written: 0, there already: 4"
    assert result.summary == "merged encoders written: 4, there already: 0"


def test_each_list_of_weights_has_a_folder(store: Path, tmp_path: Path) -> None:
    config = config_of(store, tmp_path, tuned=both(store), weights=[[1, 0], [0.3, -0.7]], alpha=0.5)
    merge.run(config, ignore)
    base, one, two = (weights_of(store / f"{name}.pt") for name in ("base", "one", "two"))
    name = "encoder.layers.1.fc1.weight"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weights-0.3_-0.7", "weights-1_0"]
    torch.testing.assert_close(
        weights_of(tmp_path / "weights-0.3_-0.7")[name],
        base[name] + 0.5 * (0.3 * (one[name] - base[name]) - 0.7 * (two[name] - base[name])),
    )
    torch.testing.assert_close(weights_of(tmp_path / "weights-1_0")[name], base[name] + 0.5 * (one[name] - base[name]))


# filters


def test_filters_are_tried_in_order_and_the_rest_follows_the_grid(store: Path, tmp_path: Path) -> None:
    filters = [
        {"match": "layers 0-1", "scale": 0},
        {"match": "attention", "scale": 0.5},
        {"match": "pos_conv", "alpha": 1},
        {"match": "encoder.layers.*.fc1.*", "scale": [0, 2]},
    ]
    merge.run(config_of(store, tmp_path, filters=filters, alpha=0.5), ignore)
    base, one, merged = weights_of(store / "base.pt"), weights_of(store / "one.pt"), weights_of(tmp_path)
    expected = {
        "encoder.layers.1.self_attn.k_proj.weight": 0.0,
        "encoder.layers.2.self_attn.k_proj.weight": 0.25,
        "encoder.layers.2.fc1.weight": 1.0,
        "encoder.layers.2.fc2.weight": 0.5,
        "encoder.pos_conv.0.weight_v": 1.0,
        "post_extract_proj.weight": 0.5,
    }
    for name, alpha in expected.items():
        exact = one[name] if alpha == 1 else base[name] + alpha * (one[name] - base[name])
        assert torch.equal(merged[name], exact if alpha else base[name]), name
    moved = json.loads((tmp_path / "merge.json").read_text())["output"]["moved"]
    assert moved["layers.0"] == 0.0
    assert abs(moved["encoder.pos_conv"] - 1) < 1e-6


def test_a_filter_changes_parameters_of_its_tensors(store: Path, tmp_path: Path) -> None:
    filters = [{"match": "feed_forward", "parameters": {"density": 1.0}}]
    config = config_of(store, tmp_path, method="ties", parameters={"density": 0}, filters=filters, alpha=1)
    merge.run(config, ignore)
    base, one, merged = weights_of(store / "base.pt"), weights_of(store / "one.pt"), weights_of(tmp_path)
    torch.testing.assert_close(merged["encoder.layers.0.fc1.weight"], one["encoder.layers.0.fc1.weight"])
    name = "encoder.layers.0.self_attn.k_proj.weight"
    assert torch.equal(merged[name], base[name])


def test_alpha_zero_is_the_base_whatever_a_filter_says(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path, filters=[{"match": "*", "alpha": 1}], alpha=0), ignore)
    base = weights_of(store / "base.pt")
    assert all(torch.equal(tensor, base[name]) for name, tensor in weights_of(tmp_path).items())


def test_all_that_is_wrong_with_methods_and_filters_is_said_at_once(store: Path, tmp_path: Path) -> None:
    filters = [
        {"match": "re:(", "scale": 1},
        {"match": "layers 3-1", "scale": 1},
        {"match": "norm", "parameters": {"density": 2, "size": 1}},
    ]
    parameters = {"density": -1, "gama": 3}
    with pytest.raises(ConfigError) as caught:
        merge.run(config_of(store, tmp_path, method="breadcrumbs", parameters=parameters, filters=filters), ignore)
    assert len(caught.value.problems) == 4
    text = caught.value.message
    assert "merge.parameters: must be one of density, gamma, lambda, weight, got 'gama'; did you mean 'gamma'?" in text
    assert "merge.filters[0].match: must be a regular expression after 're:', got 're:('" in text
    assert "merge.filters[1].match: must be 'layers FIRST-LAST', counted from 0, got 'layers 3-1'" in text
    assert "merge.parameters.density: must be greater than or equal to 0, got -1" in text
    del parameters["gama"]
    parameters["density"] = 1
    with pytest.raises(ConfigError) as caught:
        merge.run(config_of(store, tmp_path, method="breadcrumbs", parameters=parameters, filters=filters[2:]), ignore)
    assert caught.value.problems == (
        "merge.filters[0].parameters.density: must be less than or equal to 1, got 2",
        "merge.filters[0].parameters.size: is no parameter of breadcrumbs",
    )
    assert list(tmp_path.iterdir()) == []


def test_weights_of_a_filter_have_to_fit_the_number_of_models(store: Path, tmp_path: Path) -> None:
    filters = [
        {"match": "attention", "parameters": {"weight": [1, 2, 3]}},
        {"match": "norm", "parameters": {"weight": [1, -1], "normalize": True}},
    ]
    with pytest.raises(ConfigError) as caught:
        merge.run(config_of(store, tmp_path, tuned=both(store), filters=filters), ignore)
    assert caught.value.problems == (
        "merge.filters[0].parameters.weight: must be one number, or one per tuned model (2), got 3",
        "merge.filters[1].parameters.weight: must not sum to 0 when normalize is true",
    )


@pytest.mark.parametrize("match", ["cnm", "layers 0-9999999999"])
def test_a_filter_that_matches_nothing_is_refused(store: Path, tmp_path: Path, match: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"merge\.filters\[0\]\.match: must match a tensor that is merged, got '{match}'"
    ):
        merge.run(config_of(store, tmp_path, filters=[{"match": match, "scale": 0}]), ignore)


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ({"method": "slerp"}, r"merge\.tuned: must be exactly 1 for slerp, got 2"),
        ({"parameters": {"weight": [1, 2, 3]}}, r"weight: must be one number, or one per tuned model \(2\), got 3"),
        ({"weights": [[1]], "method": "model_stock"}, "merge.weights: must be absent, as model_stock weighs no models"),
        ({"parameters": {"weight": [1, -1], "normalize": True}}, "weight: must not sum to 0 when normalize is true"),
    ],
)
def test_what_does_not_fit_the_number_of_models_is_refused(
    store: Path, tmp_path: Path, flags: dict[str, object], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        merge.run(config_of(store, tmp_path, tuned=both(store), **flags), ignore)


# weight-normed convolutions


def kernel(weights: dict[str, Tensor]) -> Tensor:
    """The kernel of the positional convolution, by torch's own weight norm."""
    v, g = weights["encoder.pos_conv.0.weight_v"].double(), weights["encoder.pos_conv.0.weight_g"].double()
    return torch._weight_norm(v, g, 2)


def test_the_effective_kernel_is_merged_when_asked_for(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path, weight_norm="effective", alphas=[0, 0.25, 1]), ignore)
    base, one = weights_of(store / "base.pt"), weights_of(store / "one.pt")
    exact = kernel(base) + 0.25 * (kernel(one) - kernel(base))
    torch.testing.assert_close(kernel(weights_of(tmp_path / "alpha-0.25")), exact, rtol=0, atol=1e-7)
    for alpha, model in (("0", base), ("1", one)):
        for half in ("weight_g", "weight_v"):
            got = weights_of(tmp_path / f"alpha-{alpha}")[f"encoder.pos_conv.0.{half}"]
            assert torch.equal(got, model[f"encoder.pos_conv.0.{half}"])
    assert json.loads((tmp_path / "alpha-1" / "merge.json").read_text())["weight_norm"] == "effective"


def test_an_effective_kernel_is_stored_as_near_to_the_base_as_it_is(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path, weight_norm="effective", alphas=[0.5]), ignore)
    moved = json.loads((tmp_path / "alpha-0.5" / "merge.json").read_text())["output"]["moved"]
    assert 0.45 < moved["encoder.pos_conv"] <= 0.5  # the tuned model's v is longer, too, which its kernel does not tell
    base, half = weights_of(store / "base.pt"), weights_of(tmp_path / "alpha-0.5")
    one, other = (weights["encoder.pos_conv.0.weight_v"].norm(dim=(0, 1)) for weights in (base, half))
    torch.testing.assert_close(other, one)


def test_a_method_that_adds_nothing_to_a_kernel_leaves_the_base_s_halves(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path, method="lines", weight_norm="effective", alphas=[0.5]), ignore)
    base, lines = weights_of(store / "base.pt"), weights_of(tmp_path / "alpha-0.5")
    for half in ("weight_g", "weight_v"):
        assert torch.equal(lines[f"encoder.pos_conv.0.{half}"], base[f"encoder.pos_conv.0.{half}"])


# formats and metadata


def test_several_formats_hold_the_same_numbers_and_the_lineage(store: Path, tmp_path: Path) -> None:
    from safetensors import safe_open

    merge.run(config_of(store, tmp_path / "two", formats=["s3prl", "safetensors"]), ignore)
    merge.run(config_of(store, tmp_path / "one"), ignore)
    one = weights_of(tmp_path / "one")
    for name in ("encoder.pt", "encoder.safetensors"):
        other = weights_of(tmp_path / "two" / name)
        assert list(other) == list(one) or set(other) == set(one)
        assert all(torch.equal(tensor, one[key]) for key, tensor in other.items())
    with safe_open(tmp_path / "two" / "encoder.safetensors", framework="pt") as file:
        lineage = json.loads(file.metadata()["speechft.merge"])
    record = json.loads((tmp_path / "two" / "merge.json").read_text())
    assert lineage["base"] == record["base"]
    assert lineage["output"]["moved"] == record["output"]["moved"]
    assert set(record["output"]["files"]) == {"encoder.pt", "encoder.safetensors"}
    with pytest.raises(RequestError, match=r"formats \['s3prl', 'safetensors'\] instead of \['s3prl'\]"):
        merge.run(config_of(store, tmp_path / "two"), ignore)


def test_the_card_carries_the_licence_on(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path / "out", license="cc-by-nc-4.0"), ignore)
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlicense: cc-by-nc-4.0\n")
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "encoder.pt").symlink_to(store / "base.pt")
    (tmp_path / "base" / "README.md").write_text("---\ntags: [a]\nlicense: mit\n---\n# A base\n")
    merge.run(config_of(store, tmp_path / "next", base=tmp_path / "base" / "encoder.pt"), ignore)
    assert json.loads((tmp_path / "next" / "merge.json").read_text())["license"] == "mit"


def test_the_card_says_that_model_stock_adds_its_share_only_where_the_models_agree(store: Path, tmp_path: Path) -> None:
    merge.run(config_of(store, tmp_path / "stock", tuned=both(store), method="model_stock", alphas=[0.5]), ignore)
    merge.run(config_of(store, tmp_path / "line", tuned=both(store), alphas=[0.5]), ignore)
    stock, line = ((tmp_path / name / "alpha-0.5" / "README.md").read_text() for name in ("stock", "line"))
    assert "each tuned model | 0.5: 0.25, 0.25 (where they agree, and less where they do not) |" in stock
    assert "each tuned model | 0.5: 0.25, 0.25 |" in line


# what else may be going on


def test_models_without_anything_in_common_are_refused_unless_that_is_meant(store: Path, tmp_path: Path) -> None:
    base = read_encoder(store / "base.pt")
    generator = torch.Generator().manual_seed(9)
    strange = {name: torch.randn(tensor.shape, generator=generator) for name, tensor in base.weights.items()}
    converted.write(base.with_weights(strange), tmp_path / "strange.pt")
    config = config_of(store, tmp_path / "out", tuned=[tmp_path / "strange.pt"])
    with pytest.raises(
        RequestError, match=r"strange\.pt: was hardly tuned from .*base\.pt: the cosine between"
    ) as caught:
        merge.run(config, ignore)
    assert "merge.allow_unrelated=true" in caught.value.hint
    assert not (tmp_path / "out").exists()
    events: list[Event] = []
    merge.run(config_of(store, tmp_path / "out", tuned=[tmp_path / "strange.pt"], allow_unrelated=True), events.append)
    assert any(isinstance(event, Note) and event.important and "hardly tuned" in event.text for event in events)


def test_a_folder_that_another_merge_writes_is_refused(store: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    (tmp_path / "out").mkdir()
    code = (
        "import fcntl, sys, time\nfile = open(sys.argv[1], 'a+')\nfcntl.lockf(file, fcntl.LOCK_EX)\n"
        "file.write('4711')\nfile.flush()\nprint('held', flush=True)\ntime.sleep(60)\n"
    )
    lock = tmp_path / "out" / ".lock"
    with subprocess.Popen([sys.executable, "-c", code, str(lock)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        try:
            with pytest.raises(RequestError, match="is in use by process 4711"):
                merge.run(config_of(store, tmp_path / "out"), ignore)
        finally:
            other.kill()
    merge.run(config_of(store, tmp_path / "out"), ignore)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["README.md", "encoder.pt", "merge.json"]


def test_what_a_kill_left_is_cleared_away(store: Path, tmp_path: Path) -> None:
    for name in (".alpha-0.5.abcdefgh", ".alpha-0.75.ijklmnop"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "encoder.pt").write_text("half")
    merge.run(config_of(store, tmp_path, alphas=[0.25, 0.5]), ignore)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["alpha-0.25", "alpha-0.5"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_grid_goes_on_with_the_same_command(store: Path, tmp_path: Path, number: signal.Signals) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Advanced) and event.note:  # the name of an alpha
            os.kill(os.getpid(), number)

    config = config_of(store, tmp_path / "out", alphas=[0.25, 0.5, 0.75])
    with pytest.raises(InterruptedRunError, match="the same command goes on from there") as caught:
        merge.run(config, stop)
    assert caught.value.exit_code == 128 + number
    assert (tmp_path / "out" / "alpha-0.25" / "merge.json").is_file()
    merge.run(config, ignore)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["alpha-0.25", "alpha-0.5", "alpha-0.75"]


# differences


def test_a_difference_is_seen_from_the_base(store: Path) -> None:
    events: list[Event] = []
    result = diff.run(store / "one.pt", store / "two.pt", events.append, base=store / "base.pt")
    base, one, two = (weights_of(store / f"{name}.pt") for name in ("base", "one", "two"))
    names = [name for name in base if name.startswith("encoder.layers.1.")]
    a, b = (torch.cat([(each[n] - base[n]).reshape(-1).double() for n in names]) for each in (one, two))
    groups = json.loads(json.dumps(result.data))["groups"]
    found = groups["layers.1"]
    assert found["one_from_base"] == pytest.approx(a.norm().item(), rel=1e-5)
    assert found["distance"] == pytest.approx((a - b).norm().item(), rel=1e-5)
    assert found["cosine"] == pytest.approx((a @ b / (a.norm() * b.norm())).item(), abs=1e-6)
    assert found["sign_conflict"] == pytest.approx((a * b < 0).double().mean().item(), abs=1e-3)
    assert groups["feature_extractor"] == {
        "one_from_base": 0.0,
        "other_from_base": 0.0,
        "distance": 0.0,
        "cosine": None,
        "sign_conflict": None,
    }
    table = events[-1]
    assert isinstance(table, Table)
    assert table.rows[-1][0] == "all"


def test_a_model_that_is_not_finite_is_not_compared(store: Path, tmp_path: Path) -> None:
    whole = read_encoder(store / "one.pt")
    broken = {**whole.weights, "layer_norm.bias": torch.full_like(whole.weights["layer_norm.bias"], float("nan"))}
    converted.write(whole.with_weights(broken), tmp_path / "broken.pt")
    for one, other, base in (("one.pt", "broken.pt", "base.pt"), ("broken.pt", "one.pt", None)):
        paths = [tmp_path / name if name == "broken.pt" else store / name for name in (one, other)]
        with pytest.raises(SpeechftError, match=r"broken\.pt: must be finite, has NaN or Inf in layer_norm\.bias"):
            diff.run(*paths, ignore, base=base and store / base)


def test_without_a_base_the_way_from_one_to_the_other_is_measured(store: Path) -> None:
    result = diff.run(store / "base.pt", store / "one.pt", ignore)
    base, one = weights_of(store / "base.pt"), weights_of(store / "one.pt")
    kept = ("final_proj", "label_embs")
    apart = torch.cat([(one[n] - base[n]).reshape(-1).double() for n in base if not n.startswith(kept)])
    found = json.loads(json.dumps(result.data))["groups"]["all"]
    assert found["distance"] == pytest.approx(apart.norm().item(), rel=1e-5)
    assert 0.5 < found["changed"] < 1
