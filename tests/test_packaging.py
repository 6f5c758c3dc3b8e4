from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (path,) = folder.glob("*.whl")
    return path


def test_the_wheel_has_everything_the_commands_read(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    for template in (ROOT / "templates").glob("*.yaml"):
        assert f"speechft_cli/templates/{template.name}" in names
    read = [
        path
        for path in (ROOT / "speechft_cli").rglob("*.*")
        if path.suffix != ".py" and "__pycache__" not in path.parts
    ]
    assert {path.suffix for path in read} == {".j2", ".safetensors", ".md", ".typed"}
    assert {str(path.relative_to(ROOT)) for path in read} <= set(names)
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/"))]


def test_templates_are_found_in_a_wheel_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "from speechft_cli.config.templates import template_path; print(template_path('demo'))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True
    )

    assert found.stdout.strip() == str(tmp_path / "speechft_cli" / "templates" / "demo.yaml"), found.stderr
