"""Reading a config: defaults < file < --set < flag, each value's origin, all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from speechft_cli.config.complaints import complaint
from speechft_cli.config.dotted import put
from speechft_cli.config.reference import from_reference, is_reference
from speechft_cli.config.schema import Config
from speechft_cli.config.sections.base import ENCODER_NAME, kinds_of, section_of
from speechft_cli.config.source import Origin, read_set, read_yaml
from speechft_cli.encoders.names import names_encoder
from speechft_cli.errors import ConfigError
from speechft_cli.registry import nearest_name, unknown_name


@dataclass(frozen=True)
class LoadedConfig:
    """A valid config and where each of its values comes from.

    Attributes:
        config: The validated config; every path is absolute.
        origins: Dotted key → origin, for every key that is not a default.
    """

    config: Config
    origins: Mapping[str, Origin]


#: A config's plain data → dotted key and what is wrong with it.
Check = Callable[[Mapping[str, object]], Iterator[tuple[str, str]]]


def load_config(
    path: Path | None,
    *,
    sets: Sequence[str] = (),
    flags: Mapping[str, object] | None = None,
    check: Check | None = None,
    here: Path | None = None,
) -> LoadedConfig:
    """Reads and validates a config.

    Args:
        path: The YAML file; None for defaults and flags alone. Paths inside it are relative to its folder.
        sets: `a.b=value` strings, the value read as YAML; paths are relative to `here`.
        flags: Dotted key → value from the command line; None values are left out.
        check: Finds what the model can't know, such as names that are in no catalogue; told with all else.
        here: What relative paths of `sets` and `flags` start from; None for the working directory.

    Raises:
        ConfigError: The file can't be read or something in it is wrong; lists every problem with file:line, dotted
            key and the nearest valid name.
    """
    here = Path.cwd() if here is None else here.resolve()
    tree: dict[str, object] = {}
    origins: dict[str, Origin] = {}
    problems: list[str] = []
    if path is not None:
        tree, lines = read_yaml(path)
        if is_reference(tree):
            tree, lines = from_reference(tree, lines)
        origins = {key: Origin("file", path, line) for key, line in lines.items()}
        anchor_paths(tree, Config, path.resolve().parent)
    for text in sets:
        try:
            key, value = read_set(text)
        except ValueError as error:
            problems.append(str(error))
        else:
            _put(tree, origins, key, value, Origin("--set"))
    for key, given in (flags or {}).items():
        if given is not None:
            _put(tree, origins, key, given, Origin("flag"))
    anchor_paths(tree, Config, here)
    if "output_dir" not in tree:
        home = path.resolve().parent if path is not None else here
        tree["output_dir"] = home / "runs" / str(tree.get("name", "speechft"))
    names = [] if check is None else list(check(tree))
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        keys = [_problem(each) for each in error.errors()]
        raise _error(problems, keys, names, origins) from None
    if problems or names:
        raise _error(problems, [], names, origins)
    return LoadedConfig(config, origins)


def _put(tree: dict[str, object], origins: dict[str, Origin], key: str, value: object, origin: Origin) -> None:
    put(tree, key, value)
    # what lay below the key before has gone, and so have its origins
    for old in [known for known in origins if known == key or known.startswith(key + ".")]:
        del origins[old]
    origins[key] = origin


def anchor_paths(tree: Mapping[str, object], model: type[BaseModel], folder: Path) -> None:
    """Makes the relative paths in `tree` absolute, in place; what is absolute already stays."""
    for name, field in model.model_fields.items():
        if name not in tree or not isinstance(tree, dict):
            continue
        kinds = kinds_of(field.annotation)
        value = tree[name]
        section = section_of(field)
        if section is not None and isinstance(value, dict):
            anchor_paths(value, section, folder)
        elif Path in kinds:
            tree[name] = _anchor(value, folder, may_be_name=ENCODER_NAME in kinds)


class EncoderName(str):
    """The name of an encoder: no path in any folder."""


def anchored(path: str | Path, folder: Path) -> Path:
    """Returns a path of a config file as it is meant: from the file's folder, or from somebody's home."""
    try:
        return folder / Path(path).expanduser()
    except RuntimeError:  # `~nobody`: there is no such user, so it is a name like any other
        return folder / path


def _anchor(value: object, folder: Path, *, may_be_name: bool) -> object:
    if isinstance(value, str | Path) and str(value):
        if may_be_name and (isinstance(value, EncoderName) or names_encoder(str(value), folder)):
            return EncoderName(value)
        return anchored(value, folder)
    if isinstance(value, list | tuple):
        return [_anchor(item, folder, may_be_name=may_be_name) for item in value]
    if isinstance(value, dict):
        return {key: _anchor(item, folder, may_be_name=may_be_name) for key, item in value.items()}
    return value


def _problem(error: ErrorDetails) -> tuple[str, str]:
    parts = [str(part) for part in error["loc"] if isinstance(part, str | int)]
    return ".".join(parts) or "config", _sentence(error)


def _error(
    sets: list[str], keys: list[tuple[str, str]], names: list[tuple[str, str]], origins: Mapping[str, Origin]
) -> ConfigError:
    hints = ["speechft config schema shows every key"] if sets or keys else []
    hints += ["speechft list shows every name"] if names else []
    return ConfigError([*sets, *_placed([*keys, *names], origins)], "; ".join(hints))


def _placed(found: Sequence[tuple[str, str]], origins: Mapping[str, Origin]) -> list[str]:
    """Puts before every problem where its key, or what the key is a part of, was said; in the order of the lines."""
    lines = []
    for key, text in found:
        parts = key.split(".")
        # of a key that is none, `--set` said a part; a section is the work of many
        below = (each for each in origins if len(parts) > 1 and each.startswith(f"{key}."))
        above = (".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1))
        where = next((origins[each] for each in (key, *below, *above) if each in origins), None)
        place = "" if where is None else f"{where}: "
        lines.append((where.kind if where else "", where.line if where else 0, f"{place}{key}: {text}"))
    return [line for _, _, line in sorted(lines)]


def _sentence(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        name, known = str(error["loc"][-1]), _siblings(error["loc"])
        elsewhere = _homes(name)
        if elsewhere:  # a slip of the indentation
            return f"unknown key; did you mean {' or '.join(elsewhere)}?"
        near = nearest_name(name, known)
        return f"unknown key; did you mean {near!r}?" if near else f"unknown key; {unknown_name(name, known)}"
    return complaint(error)


def _homes(name: str) -> list[str]:
    """The dotted keys, of the whole config or of one of its sections, that are called `name`."""
    if name in Config.model_fields:
        return [name]
    sections = {key: section_of(field) for key, field in Config.model_fields.items()}
    return [f"{key}.{name}" for key, section in sections.items() if section and name in section.model_fields]


def _siblings(location: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Config
    for part in location[:-1]:
        field = model.model_fields.get(str(part))
        section = section_of(field) if field is not None else None
        if section is None:
            break
        model = section
    return list(model.model_fields)
