"""What is true of an encoder family: facts, no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class EncoderFamily:
    """The facts of one family of speech encoders.

    Attributes:
        name: The name in the catalogue.
        expert: s3prl's module that holds its `UpstreamExpert`.
        weights_key: Where s3prl's converted checkpoint keeps the weights.
        network: Class of the bare network, by its name in the expert's `convert` module.
        network_arguments: What its constructor takes: (section of the checkpoint, class that reads the section, or
            empty for the section as it is).
        required_keys: The top-level keys that s3prl's loader insists on.
        convolutions: (kernel, stride) of the CNN's layers [samples at 16 kHz for the first one].
        cnn_prefixes: Weights that begin so are the CNN feature extractor; Speech-FT freezes them throughout.
        kept_prefixes: Weights that begin so belong to the pre-training objective; a merge keeps the base's.
        conv_spec: (section, key) of the architecture string that s3prl evaluates as Python.
        published: Where the stock base checkpoint can be downloaded, in s3prl's converted layout.
        sizes: Size name → configuration sections of a randomly initialised encoder.
    """

    name: str
    expert: str
    network: str
    network_arguments: tuple[tuple[str, str], ...]
    weights_key: str
    required_keys: tuple[str, ...]
    convolutions: tuple[tuple[int, int], ...]
    cnn_prefixes: tuple[str, ...]
    kept_prefixes: tuple[str, ...]
    conv_spec: tuple[str, str]
    published: str
    sizes: Mapping[str, Mapping[str, object]]

    def frame_count(self, sample_count: int) -> int:
        """Returns how many frames the CNN makes of `sample_count` samples, 0 when they are too few for one."""
        count = sample_count
        for kernel, step in self.convolutions:
            if count < kernel:
                return 0
            count = (count - kernel) // step + 1
        return count

    def is_cnn(self, name: str) -> bool:
        """Whether the weight called `name` belongs to the CNN feature extractor."""
        return name.startswith(self.cnn_prefixes)

    def is_kept(self, name: str) -> bool:
        """Whether a merge keeps the base's value of the weight called `name`."""
        return name.startswith(self.kept_prefixes)
