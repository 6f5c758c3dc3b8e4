"""`speechft list`."""

from __future__ import annotations

import json

from speechft_cli.tasks import TASKS


def test_a_group_is_a_name_a_line_and_a_source_each(speechft) -> None:
    result = speechft("list", "tasks")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "tasks"
    assert lines[1] == f"  {'asr':<14}{TASKS.entry('asr').summary}"
    assert lines[2].strip() == TASKS.entry("asr").source
    assert len(lines) == 1 + 2 * len(TASKS)
    assert max(map(len, lines)) <= 80


def test_without_a_group_everything_is_listed(speechft) -> None:
    lines = speechft("list").stdout.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "encoders",
        "tasks",
        "corpora",
        "methods",
        "scores",
        "templates",
    ]


def test_the_list_is_json(speechft) -> None:
    listed = json.loads(speechft("list", "--json").stdout)
    assert listed["tasks"]["asr"] == {"summary": TASKS.entry("asr").summary, "source": TASKS.entry("asr").source}
    assert "demo" in listed["templates"]
