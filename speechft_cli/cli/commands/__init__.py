"""One module per command; COMMANDS says where each lies. A module is imported when its command is run."""

from __future__ import annotations

from collections.abc import Mapping

#: Name as it is typed → `module:attribute` in this package, and the first sentence of the command's help, for
#: `speechft --help`. The attribute is a function, which is one command, or an app, which is a group of them.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "init": ("init:init", "Ask a few questions and write a commented YAML file."),
    "import-s3prl": ("import_s3prl:import_s3prl", "Turn a config of s3prl into a commented YAML file."),
    "prepare": ("prepare:prepare", "Turn a corpus on disk into manifests."),
    "finetune": ("finetune:finetune", "Fine-tune an encoder stably on one task, or on several."),
    "merge": ("merge:merge", "Interpolate a fine-tuned encoder back toward its base."),
    "evaluate": ("evaluate:evaluate", "Score frozen encoders on tasks and write a report."),
    "convert": ("convert:convert", "Write an encoder in other formats, its features compared."),
    "extract": ("extract:extract", "Write an encoder's features of every layer."),
    "demo": ("demo:demo", "Run the whole job in minutes, on synthetic speech."),
    "doctor": ("doctor:doctor", "Say what works on this machine and how to mend the rest."),
    "list": ("list:list_names", "Show the names a config may use, or all there is of one."),
    "data": ("data:app", "Look at manifests."),
    "config": ("config:app", "Show, check and describe config files."),
}
