"""One module per command; COMMANDS says where each lies, and it is imported when somebody asks for it."""

from __future__ import annotations

from collections.abc import Mapping

COMMANDS: Mapping[str, str] = {
    "init": "init:init",
    "import-s3prl": "import_s3prl:import_s3prl",
    "prepare": "prepare:prepare",
    "finetune": "finetune:finetune",
    "merge": "merge:merge",
    "evaluate": "evaluate:evaluate",
    "convert": "convert:convert",
    "extract": "extract:extract",
    "demo": "demo:demo",
    "doctor": "doctor:doctor",
    "list": "list:list_names",
    "data": "data:app",
    "config": "config:app",
}
"""Name as it is typed → `module:attribute` in this package; a function is one command, an app a group of them."""
