"""A resolved config as YAML that loads back to the same config."""

from __future__ import annotations

import yaml

from speechft_cli.config.schema import Config


def config_yaml(config: Config) -> str:
    """Returns every key of every section that is there, defaults included, as YAML."""
    text: str = yaml.safe_dump(
        config.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True, width=120
    )
    return text
