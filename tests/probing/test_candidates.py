import json
from decimal import Decimal
from pathlib import Path

import pytest

from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.formats import converted
from speechft_cli.encoders.s3prl import random_checkpoint
from speechft_cli.errors import RequestError
from speechft_cli.probing.candidates import Candidate, all_in, named, of_experiment, read_candidate

FROM = {"base": ("b",), "tuned": ("t",)}


def record(alpha: float) -> dict[str, object]:
    return {
        "family": "hubert",
        "method": "linear",
        "parameters": {},
        "alpha": alpha,
        "base": {"weights_sha256": "b"},
        "tuned": [{"weights_sha256": "t"}],
        "output": {"file": "encoder.pt"},
    }


def merged(folder: Path, alpha: float) -> Path:
    folder.mkdir(parents=True)
    (folder / "merge.json").write_text(json.dumps(record(alpha)))
    (folder / "encoder.pt").touch()
    return folder / "encoder.pt"


def test_a_grid_is_sorted_by_number_between_base_and_tuned(tmp_path: Path) -> None:
    files = {alpha: merged(tmp_path / f"alpha-{alpha:g}", alpha) for alpha in (1.0, 0.5, 0.25, 10.0)}
    found = of_experiment(base=Path("b.pt"), tuned=[Path("run")], merged=tmp_path)
    assert found == [
        Candidate("base", Path("b.pt")),
        Candidate("tuned", Path("run")),
        Candidate("alpha-0.25", files[0.25], Decimal("0.25"), FROM, "linear"),
        Candidate("alpha-0.5", files[0.5], Decimal("0.5"), FROM, "linear"),
        Candidate("alpha-1", files[1.0], Decimal("1"), FROM, "linear"),
        Candidate("alpha-10", files[10.0], Decimal("10"), FROM, "linear"),
    ]


def test_a_single_merge_lies_in_the_folder_itself(tmp_path: Path) -> None:
    file = merged(tmp_path / "merge", 0.25)
    found = of_experiment(base=None, tuned=[], merged=tmp_path / "merge")
    assert found == [Candidate("alpha-0.25", file, Decimal("0.25"), FROM, "linear")]


def test_a_single_merge_beside_a_grid_is_compared_unless_it_is_the_same(tmp_path: Path) -> None:
    grid = [merged(tmp_path / f"alpha-{alpha:g}", alpha) for alpha in (0.5, 1.0)]
    for method, more in (("linear", []), ("ties", [("ties/alpha-0.5", tmp_path / "encoder.pt")])):
        (tmp_path / "merge.json").write_text(json.dumps({**record(0.5), "method": method}))
        (tmp_path / "encoder.pt").touch()
        found = of_experiment(base=None, tuned=[], merged=tmp_path)
        assert [(each.label, each.path) for each in found] == [("alpha-0.5", grid[0]), *more, ("alpha-1", grid[1])]


def test_merges_of_several_methods_are_labelled_by_them(tmp_path: Path) -> None:
    for way, alpha in (("ties/weights-1_0", 0.5), ("linear/weights-1_0", 1.0), ("linear/weights-1_0", 0.5)):
        merged(tmp_path / way / f"alpha-{alpha:g}", alpha)
    found = of_experiment(base=None, tuned=[], merged=tmp_path)
    assert [each.label for each in found] == [
        "linear/weights-1_0/alpha-0.5",
        "linear/weights-1_0/alpha-1",
        "ties/weights-1_0/alpha-0.5",
    ]


def test_a_folder_of_merges_stands_for_all_in_it(tmp_path: Path) -> None:
    files = [merged(tmp_path / f"alpha-{alpha:g}", alpha) for alpha in (1.0, 0.5)]
    assert [(each.label, each.path) for each in all_in("grid", tmp_path)] == [
        ("grid/alpha-0.5", files[1]),
        ("grid/alpha-1", files[0]),
    ]
    assert all_in("one", tmp_path / "alpha-1") == []
    (tmp_path / "best").mkdir()
    (tmp_path / "best" / "encoder.pt").touch()
    assert all_in("run", tmp_path) == []


def test_merges_put_together_by_links_are_found(tmp_path: Path) -> None:
    for alpha in (0.5, 1.0):
        merged(tmp_path / "grid" / f"alpha-{alpha:g}", alpha)
    (tmp_path / "chosen").mkdir()
    (tmp_path / "chosen" / "alpha-1").symlink_to("../grid/alpha-1")
    assert [each.label for each in all_in("chosen", tmp_path / "chosen")] == ["chosen/alpha-1"]


def test_a_merge_under_another_name_is_found(tmp_path: Path) -> None:
    file = merged(tmp_path / "alpha-0.5", 0.5)
    record = json.loads((file.parent / "merge.json").read_text())
    (file.parent / "merge.json").write_text(json.dumps({**record, "output": {"file": "mine.pt"}}))
    file.rename(file.with_name("mine.pt"))
    assert [each.path for each in all_in("grid", tmp_path)] == [file.with_name("mine.pt")]


def test_a_merge_that_is_a_hugging_face_folder_is_found_as_that_folder(tmp_path: Path) -> None:
    folder = merged(tmp_path / "alpha-0.5", 0.5).parent
    output = {"file": "encoder-hf", "files": {"encoder-hf/config.json": {}, "encoder-hf/model.safetensors": {}}}
    (folder / "merge.json").write_text(json.dumps({**record(0.5), "output": output}))
    (folder / "encoder.pt").unlink()
    (folder / "encoder-hf").mkdir()
    (folder / "encoder-hf" / "config.json").touch()
    for found in (all_in("grid", tmp_path), of_experiment(base=None, tuned=[], merged=tmp_path)):
        assert [each.path for each in found] == [folder / "encoder-hf"]


def test_a_named_merge_knows_its_alpha(tmp_path: Path) -> None:
    file = merged(tmp_path / "merge", 0.3)
    assert named("mine", file, seed=0).alpha == named("mine", file.parent, seed=0).alpha == Decimal("0.3")
    assert named("tuned", tmp_path, seed=0).alpha is None


def test_a_broken_merge_json_is_named(tmp_path: Path) -> None:
    file = merged(tmp_path / "merge", 0.3)
    (file.parent / "merge.json").write_text("{}")
    with pytest.raises(RequestError, match=r"merge/merge\.json"):
        named("mine", file, seed=0)


def test_a_downstream_run_borrows_the_configuration_of_the_base(tmp_path: Path) -> None:
    import torch

    family = ENCODERS.get("hubert")
    base, tuned = (random_checkpoint(family, "tiny", seed=seed) for seed in (0, 1))
    converted.write(base, tmp_path / "base.pt")
    torch.save({"Upstream": {f"model.{name}": each for name, each in tuned.weights.items()}}, tmp_path / "run.ckpt")
    candidate = Candidate("tuned", tmp_path / "run.ckpt")
    assert not read_candidate(candidate, family, base=None).is_complete
    read = read_candidate(candidate, family, base=tmp_path / "base.pt")
    assert read.container == base.container
    assert all(torch.equal(read.weights[name], each) for name, each in tuned.weights.items())


def test_a_file_that_does_not_say_its_family_takes_the_likely_one_and_borrows_from_its_own_only(tmp_path: Path) -> None:
    import torch

    hubert, wavlm = (random_checkpoint(ENCODERS.get(name), "tiny", seed=0) for name in ("hubert", "wavlm"))
    converted.write(hubert, tmp_path / "hubert.pt")
    converted.write(wavlm, tmp_path / "wavlm.pt")
    bare = {f"model.{name}": each for name, each in hubert.weights.items() if not hubert.family.is_kept(name)}
    torch.save({"Upstream": bare}, tmp_path / "run.ckpt")
    candidate = Candidate("tuned", tmp_path / "run.ckpt")
    with pytest.raises(RequestError, match="must say what family its encoder is of"):
        read_candidate(candidate, None, base=None)
    assert read_candidate(candidate, hubert.family, base=tmp_path / "hubert.pt").container == hubert.container
    assert not read_candidate(candidate, hubert.family, base=tmp_path / "wavlm.pt").is_complete
    # what a file says itself counts
    assert read_candidate(Candidate("w", tmp_path / "wavlm.pt"), hubert.family, base=None).family.name == "wavlm"
