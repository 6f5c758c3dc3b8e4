"""The YAML files that come with the package: where they lie and what each is for."""

from __future__ import annotations

from pathlib import Path

from speechft_cli.errors import RequestError
from speechft_cli.registry import unknown_name


def template_names() -> list[str]:
    """Returns the names of all templates, sorted."""
    return sorted(path.stem for path in _folder().glob("*.yaml"))


def template_path(name: str) -> Path:
    """Returns the file of a template.

    Raises:
        RequestError: There is no such template.
    """
    names = template_names()
    if name not in names:
        raise RequestError(f"template: {unknown_name(name, names)}", "speechft list templates")
    return _folder() / f"{name}.yaml"


def template_summary(name: str) -> str:
    """Returns what a template is for: its first line, a comment."""
    with template_path(name).open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()


def _folder() -> Path:
    """The folder in the installed package, or the one of the checkout that an editable install points to."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "templates"
    return installed if installed.is_dir() else package.parent / "templates"
