"""The import floors of the architecture, checked over the source of every module."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "speechft_cli"
MODULES = sorted(PACKAGE.rglob("*.py"))
FLOORS = (
    {"errors"},
    {"registry", "events"},
    {"io"},
    {"encoders", "tasks", "data", "merging"},
    {"config", "training", "probing", "reporting"},
    {"engines"},
    {"cli"},
    {"__main__"},
)
HOMES = {
    "typer": "cli/",
    "rich": "cli/",
    "questionary": "cli/",
    "prompt_toolkit": "cli/",
    "s3prl": "encoders/s3prl.py",
    "lhotse": "data/",
    "accelerate": "training/",
}


def _imports(tree: ast.AST, home: str) -> Iterator[str]:
    """Every module that a tree imports, by absolute name; `from a import b` counts as a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = home.split(".")[: -node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _at_import(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported, but for what only type checkers see."""
    for statement in tree.body:
        if not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.If):
            yield statement


def _floor(part: str) -> int:
    return next(number for number, parts in enumerate(FLOORS) if part in parts)


def _name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)


def _named(module: str, imported: set[str]) -> bool:
    return any(name == module or name.rpartition(".")[0] == module for name in imported)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_module_imports_only_lower_floors_and_its_own_package(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for imported in _imports(_tree(path), _name(path)):
        root, _, rest = imported.partition(".")
        part = rest.partition(".")[0]
        if root == "speechft_cli" and part not in {own, "__version__"}:
            assert _floor(part) < _floor(own), f"{path}: {imported}"


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_library_stays_in_its_home(path: Path) -> None:
    inside = path.relative_to(PACKAGE).as_posix()
    for imported in _imports(_tree(path), _name(path)):
        home = HOMES.get(imported.partition(".")[0])
        assert home is None or inside.startswith(home), f"{inside} imports {imported}"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in MODULES:
        if path.name != "__init__.py":  # a catalogue knows its leaves, and they know it
            imported = set(_imports(_tree(path), _name(path)))
            graph[_name(path)] = {_name(other) for other in MODULES if _named(_name(other), imported)}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names them


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.relative_to(PACKAGE).parts[0] in {"cli", "config"}], ids=_name
)
def test_cli_and_config_import_no_torch_when_they_are_imported(path: Path) -> None:
    for statement in _at_import(_tree(path)):
        roots = {imported.partition(".")[0] for imported in _imports(statement, _name(path))}
        assert not roots & {"torch", "torchaudio", "s3prl", "lhotse"}, f"{path}:{statement.lineno}"
