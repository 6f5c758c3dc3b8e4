"""Updates that were left out because a gradient was not finite."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from speechft_cli.data.utterances import Utterances
from speechft_cli.errors import SpeechftError, shortened
from speechft_cli.training.ranks import Ranks

#: Utterances named in the message.
_NAMED = 8


@dataclass
class Skips:
    """Counts them; what happened lies on the device until `read`.

    Attributes:
        limit: The run stops when this many updates were left out.
        count: Updates left out so far.
    """

    limit: int
    count: int = 0
    _flags: list[Tensor] = field(default_factory=list)
    _utterances: list[Utterances] = field(default_factory=list)

    def add(self, is_skipped: Tensor, utterances: Utterances) -> None:
        """Notes an update, whether it was left out, and what it was of."""
        self._flags.append(is_skipped)
        self._utterances.append(utterances)

    def read(self, step: int, ranks: Ranks) -> None:
        """Counts the updates left out among those that were noted since the last reading.

        Args:
            step: Updates made.
            ranks: All leave out the same updates, whichever rank's utterances are the reason.

        Raises:
            SpeechftError: Too many updates were left out; the message names the utterances of the last ones.
        """
        if not self._flags:
            return
        flags = torch.stack(self._flags).tolist()
        faulty = [each for flag, each in zip(flags, self._utterances, strict=True) if flag]
        self._flags, self._utterances = [], []
        self.count += len(faulty)
        if faulty and self.count >= self.limit:
            own = [each.id for utterances in faulty for each in utterances]
            names = [name for each in ranks.gather(own) for name in each]
            raise SpeechftError(
                f"step {step}: {self.count} updates had to be left out because their gradient was not finite, the last "
                f"ones of the utterances {shortened(names, most=_NAMED)}",
                "lower finetune.learning_rate, listen to these utterances, or try --set finetune.precision=fp32",
            )
