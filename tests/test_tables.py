"""What a page's table repeats of a catalogue is what the catalogue says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from speechft_cli.cli.details import details
from speechft_cli.cli.names import registry
from speechft_cli.data import CORPORA
from speechft_cli.encoders import ENCODERS
from speechft_cli.encoders.base import MASK_EMBEDDING
from speechft_cli.merging import METHODS

ROOT = Path(__file__).parents[1]


def rows(page: str, head: str) -> dict[str, list[str]]:
    """Name → the other cells of its row, of the table whose header begins with `head`; a row may have several names."""
    lines = (ROOT / page).read_text(encoding="utf-8").split(f"\n| {head}", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {name: rest for first, *rest in cells for name in re.findall(r"`([^`]+)`", first)}


@pytest.mark.parametrize(
    ("page", "head", "group", "left_out"),
    [
        ("README.md", "`prepare …` |", "corpora", ()),
        ("docs/corpora.md", "corpus | licence |", "corpora", ()),
        ("docs/merging.md", "name | θ̂(α) |", "methods", ()),
        ("docs/formats.md", "family | layouts |", "encoders", ()),
        ("docs/formats.md", "family | kept from", "encoders", ()),
        ("docs/formats.md", "`--format` |", "formats", ()),
        ("docs/tasks.md", "task | needs", "tasks", ("hubert",)),  # "the eleventh task", below the table
        ("docs/tasks.md", "preset |", "presets", ()),
        ("docs/finetuning.md", "name | what trains |", "strategies", ()),
    ],
)
def test_a_table_has_all_names_of_its_catalogue(page: str, head: str, group: str, left_out: tuple[str, ...]) -> None:
    assert sorted([*rows(page, head), *left_out]) == sorted(registry(group))


@pytest.mark.parametrize("name", [name for name in CORPORA if CORPORA.get(name).licence])
def test_the_page_says_of_a_corpus_what_its_reader_says(name: str) -> None:
    licence, *_, source = rows("docs/corpora.md", "corpus | licence |")[name]
    corpus = CORPORA.get(name)
    assert licence == corpus.licence
    assert f"({corpus.page})" in source or not corpus.page


def test_the_page_says_which_corpora_are_fetched_and_what_checks_them() -> None:
    said = rows("docs/corpora.md", "corpus | what | checked by |")
    fetched = {name: CORPORA.get(name).archives for name in CORPORA if CORPORA.get(name).archives}
    assert set(said) == set(fetched)
    for name, archives in fetched.items():
        has_sums = [bool(archive.sha256) for archive in archives]
        assert ("SHA-256" in said[name][-1], "length" in said[name][-1]) == (any(has_sums), not all(has_sums)), name


@pytest.mark.parametrize("name", list(METHODS))
def test_the_page_says_of_a_method_what_it_takes(name: str) -> None:
    _, models, parameters = rows("docs/merging.md", "name | θ̂(α) |")[name]
    method = METHODS.get(name)
    assert models == (str(method.most) if method.most == method.fewest else f"{method.fewest} or more")
    if parameters.startswith("as "):
        parameters = rows("docs/merging.md", "name | θ̂(α) |")[parameters.split("`")[1]][-1]
    said = dict(re.findall(r"(\w+) \(([^)]+)\)", parameters))
    found = {key: default for key, (default, _) in details("methods", name).parameters.items()}
    assert list(said) == list(found)
    for key, default in found.items():
        value = default[0] if isinstance(default, tuple) else default
        words = {"mean": None, "true": True, "false": False, "the experiment's": value}
        assert words.get(said[key], said[key]) == value or float(said[key]) == value, key


@pytest.mark.parametrize("name", list(ENCODERS))
def test_the_page_says_of_a_family_what_is_true_of_it(name: str) -> None:
    _, sizes, normalised, frames, shortest = rows("docs/formats.md", "family | layouts |")[name]
    family = ENCODERS.get(name)
    assert sizes.split(", ") == list(family.sizes)
    normalised_sizes = [size for size in ("base", "large") if size in sizes and family.normalizes(family.sizes[size])]
    assert normalised == {0: "never", 1: "large", 2: "both"}[len(normalised_sizes)]
    assert int(frames) == family.frame_count(16_000)
    assert int(shortest.split()[0]) == family.fewest_samples
    _, untrained = rows("docs/formats.md", "family | kept from")[name]
    assert ("CNN" in untrained, MASK_EMBEDDING in untrained) == (
        bool(family.cnn_prefixes),
        MASK_EMBEDDING in family.untrained_prefixes,
    )
