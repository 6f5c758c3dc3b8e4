"""What a config leads to, in a few lines: updates, hours, checkpoints, probes."""

from __future__ import annotations

from collections.abc import Iterator

from speechft_cli.config.schema import Config


def preview(config: Config) -> Iterator[str]:
    """Yields a line per stage that the config has a section for."""
    if config.prepare is not None:
        hours = "all of it" if config.prepare.hours is None else f"at most {config.prepare.hours:g} h of each split"
        yield f"prepare   {config.prepare.corpus}, {hours} → {config.data_dir}"
    tune = config.finetune
    if tune is not None:
        heard = tune.steps * tune.batch_seconds / 3600
        frozen = int(tune.frozen_share * tune.steps)
        yield (
            f"finetune  {tune.steps} updates of at most {tune.batch_seconds:g} s, {heard:.3g} h of audio in all; the "
            f"encoder is frozen in the first {frozen} → {config.run_dir}"
        )
    if config.merge is not None:
        count = len(config.merge.chosen_alphas)
        files = f"{count} checkpoint{'s' * (count != 1)} of the base's size"
        yield f"merge     {', '.join(config.merge.methods)}, {files} → {config.merge_dir}"
    if config.evaluate is not None:
        yield f"evaluate  {', '.join(config.evaluate.tasks)} → {config.evaluate_dir}"
