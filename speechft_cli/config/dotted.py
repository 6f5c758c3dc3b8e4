"""Keys with dots, such as `finetune.units.layer`, and the nested mappings that they lead into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def put(tree: dict[str, object], key: str, value: object) -> None:
    """Sets the value of a dotted key, in place; other values on the way there are replaced by mappings."""
    *sections, leaf = key.split(".")
    for section in sections:
        inner = tree.get(section)
        if not isinstance(inner, dict):
            inner = tree[section] = {}
        tree = inner
    tree[leaf] = value


def leaves(tree: Mapping[str, object], above: str = "") -> Iterator[tuple[str, object]]:
    """Yields dotted key and value of all that is no mapping; `above` is what the keys begin with."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value
