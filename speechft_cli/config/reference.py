"""The published Speech-FT code's own merge YAML, read as ours.

Source: github.com/nervjack2/Speech-FT, the keys `merge_method, alpha, base_model_name, base_model_ckpt_path,
finetune_model_paths, output_dir`; its result is `output_dir/merged_model.pt`.
"""

from __future__ import annotations

from collections.abc import Mapping

#: Their key → ours. `finetune_model_names` is read by nothing there either.
_KEYS = {
    "merge_method": "merge.method",
    "alpha": "merge.alpha",
    "base_model_name": "encoder.family",
    "base_model_ckpt_path": "merge.base",
    "finetune_model_paths": "merge.tuned",
    "output_dir": "merge.out",
}


def is_reference(tree: Mapping[str, object]) -> bool:
    """Whether this is the reference's merge YAML and not ours."""
    return "finetune_model_paths" in tree


def from_reference(tree: Mapping[str, object], lines: Mapping[str, int]) -> tuple[dict[str, object], dict[str, int]]:
    """Translates the reference's keys; keys it does not know stay, so that validation reports them."""
    ours: dict[str, object] = {}
    our_lines: dict[str, int] = {}
    for key, value in tree.items():
        if (value in (None, "") and key in _KEYS) or key == "finetune_model_names":
            continue  # an empty `base_model_ckpt_path` is the reference's way to say "none"
        section, _, name = _KEYS.get(key, key).rpartition(".")
        if section:
            node = ours.setdefault(section, {})
            assert isinstance(node, dict)
            node[name] = value
        else:
            ours[name] = value
        our_lines[_KEYS.get(key, key)] = lines.get(key, 1)
    merge = ours.setdefault("merge", {})
    assert isinstance(merge, dict)
    merge["file_name"] = "merged_model.pt"
    return ours, our_lines
