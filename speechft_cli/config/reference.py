"""The published Speech-FT code's own merge YAML, read as ours.

Source: github.com/nervjack2/Speech-FT, the keys `merge_method, alpha, base_model_name, base_model_ckpt_path,
finetune_model_paths, output_dir`; its result is `output_dir/merged_model.pt`.
"""

from __future__ import annotations

from collections.abc import Mapping

from speechft_cli.config.dotted import put
from speechft_cli.encoders import ENCODERS

#: Their key → ours. `finetune_model_names` is read by nothing there either.
_KEYS = {
    "merge_method": "merge.method",
    "alpha": "merge.alpha",
    "base_model_name": "encoder.family",
    "base_model_ckpt_path": "merge.base",
    "finetune_model_paths": "merge.tuned",
    "output_dir": "merge.out",
}
#: Their `base_model_name` → the family, where it has another name here.
_FAMILIES = {"wavlm_base_plus": "wavlm"}


def is_reference(tree: Mapping[str, object]) -> bool:
    """Whether this is the reference's merge YAML and not ours."""
    return "finetune_model_paths" in tree


def from_reference(tree: Mapping[str, object], lines: Mapping[str, int]) -> tuple[dict[str, object], dict[str, int]]:
    """Translates the reference's keys; keys it does not know stay, so that validation reports them."""
    ours: dict[str, object] = {}
    our_lines: dict[str, int] = {}
    for key, value in {**tree, **_base(tree)}.items():
        if (value in (None, "") and key in _KEYS) or key == "finetune_model_names":
            continue
        put(ours, _KEYS.get(key, key), value)
        our_lines[_KEYS.get(key, key)] = lines.get(key, 1)
    put(ours, "merge.file_name", "merged_model.pt")
    return ours, our_lines


def _base(tree: Mapping[str, object]) -> dict[str, object]:
    """Returns what the base is: the stock encoder of its name, where `base_model_ckpt_path` is empty or missing."""
    name = tree.get("base_model_name")
    family = _FAMILIES.get(str(name), name)
    if not family or family not in ENCODERS:
        return {}  # validation reports it
    assert isinstance(family, str)
    return {
        "base_model_name": family,
        "base_model_ckpt_path": tree.get("base_model_ckpt_path") or ENCODERS.get(family).stock,
    }
