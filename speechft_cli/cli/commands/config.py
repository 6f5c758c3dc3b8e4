"""`speechft config`: what a YAML file means, whether it is right, and what it may say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechft_cli.cli.options import AsJson, ConfigFile, Sets
from speechft_cli.errors import ConfigError

if TYPE_CHECKING:
    from speechft_cli.config.load import LoadedConfig

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, add_completion=False, help="Show, check and describe config files."
)


@app.command()
def show(context: typer.Context, config: ConfigFile = None, sets: Sets = None, as_json: AsJson = False) -> None:
    """Show the resolved config, each value with where it comes from."""
    from speechft_cli.cli.display.console import talk_of
    from speechft_cli.cli.names import unknown_names
    from speechft_cli.cli.yaml_text import lines
    from speechft_cli.config.load import load_config

    loaded = load_config(config, sets=sets or (), check=unknown_names)
    talk = talk_of(context)
    if as_json:
        origins = {key: str(origin) for key, origin in loaded.origins.items()}
        talk.document({"config": loaded.config.model_dump(mode="json"), "origins": origins})
        return
    absent = {name for name in type(loaded.config).model_fields if getattr(loaded.config, name) is None}
    for key, line in lines(loaded.config.model_dump(exclude=absent)):
        origin = _origin(key, loaded)
        talk.print(f"{line}  # {origin}" if origin else line)


def _origin(key: str, loaded: LoadedConfig) -> str:
    """Where the value of a key comes from; empty for a section and for a part of a value that says it above."""
    section, _, rest = key.partition(".")
    part = getattr(loaded.config, section)
    if key in loaded.origins and (rest or not hasattr(part, "model_fields_set")):
        return str(loaded.origins[key])
    if not rest:
        return "" if hasattr(part, "model_fields_set") else "default"
    if "." in rest:
        return ""
    return str(loaded.origins.get(section, "default")) if rest in part.model_fields_set else "default"


@app.command()
def validate(context: typer.Context, config: ConfigFile = None, sets: Sets = None, as_json: AsJson = False) -> None:
    """Say ok, or everything that is wrong."""
    from speechft_cli.cli.display.console import talk_of
    from speechft_cli.cli.names import unknown_names
    from speechft_cli.config.load import load_config

    talk = talk_of(context)
    try:
        load_config(config, sets=sets or (), check=unknown_names)
    except ConfigError as error:
        if as_json:
            talk.document({"valid": False, "problems": list(error.problems)})
        raise
    if as_json:
        talk.document({"valid": True, "problems": []})
    else:
        talk.print("ok")


@app.command()
def schema(
    context: typer.Context,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write it into this file instead.")
    ] = None,
) -> None:
    """Print the JSON Schema of a config file, for editors.

    `speechft init` writes it beside the YAML file, whose first line names it.
    """
    from speechft_cli.cli.display.console import nearby, talk_of
    from speechft_cli.cli.editors import schema_text

    talk = talk_of(context)
    if out is None:
        talk.print(schema_text().rstrip())
        return
    from speechft_cli.io.atomic import write_text

    write_text(out, schema_text())
    talk.print(f"schema written → {nearby(out)}; a YAML file names it: # yaml-language-server: $schema={out.name}")
