"""The flags of `speechft merge` that hold more than one value."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from speechft_cli.errors import RequestError

_EXAMPLES = {"--weights": "0.3,0.7", "--filter": "attention=0.5"}


#: What `--diff` looks at.
_WITH_DIFF = ("--diff", "--base", "--trust", "--json")


def require_diff_alone(context: typer.Context) -> None:
    """Makes sure that nothing was given beside `--diff` that only a merge looks at.

    Raises:
        RequestError: Something was.
    """
    sources = {each.opts[0]: context.get_parameter_source(str(each.name)) for each in context.command.params}
    given = [
        option
        for option, source in sources.items()
        if option not in _WITH_DIFF and source is not None and source.name == "COMMANDLINE"
    ]
    if given:
        raise RequestError(
            f"--diff: must go with {', '.join(_WITH_DIFF[1:])} alone, got {', '.join(given)}",
            "it compares and writes nothing: leave them out, or merge without --diff",
        )


def read_parameters(flags: Sequence[str]) -> dict[str, object]:
    """Reads `density=0.2` as a config key and its value, read as YAML.

    Raises:
        RequestError: One is not NAME=VALUE.
    """
    import yaml

    from speechft_cli.config.source import YamlLoader

    found: dict[str, object] = {}
    for flag in flags:
        name, separator, text = flag.partition("=")
        try:
            value = yaml.load(text, YamlLoader)
        except yaml.YAMLError:
            value = None
        if not separator or not name or value is None:
            raise RequestError(f"--parameter: must be NAME=VALUE, got {flag!r}", "for example --parameter density=0.2")
        found[f"merge.parameters.{name}"] = value
    return found


def read_weights(flags: Sequence[str]) -> list[list[float]]:
    """Reads `0.3,0.7` as a list of numbers.

    Raises:
        RequestError: One is something else.
    """
    return [_numbers("--weights", flag, flag) for flag in flags]


def read_filters(flags: Sequence[str]) -> list[dict[str, object]]:
    """Reads `attention=0.5` as a filter with a scale and `pos_conv=@1` as one with an alpha; lists are gradients.

    Raises:
        RequestError: One is something else.
    """
    found: list[dict[str, object]] = []
    for flag in flags:
        # a regular expression may have an equals sign in it, a number can't
        match, separator, value = flag.rpartition("=")
        if not separator or not match:
            raise RequestError(f"--filter: must be MATCH=SCALE, got {flag!r}", "for example --filter attention=0.5")
        key = "alpha" if value.startswith("@") else "scale"
        found.append({"match": match, key: _numbers("--filter", flag, value.removeprefix("@"))})
    return found


def _numbers(option: str, flag: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise RequestError(
            f"{option}: must have numbers, separated by commas, got {flag!r}",
            f"for example {option} {_EXAMPLES[option]}",
        ) from None
