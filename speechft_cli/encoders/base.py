"""What is true of an encoder family: facts, no code."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: A number of samples or frames: of one utterance, or of each of many at once.
Count = TypeVar("Count", int, "NDArray[np.int64]")

#: How many samples a second of audio has, wherever an encoder hears it [Hz].
SAMPLE_RATE = 16_000

#: What takes the place of a hidden frame, in every family that was pre-trained by hiding frames.
MASK_EMBEDDING = "mask_emb"


@dataclass(frozen=True)
class Published:
    """A pre-trained encoder that somebody published, which a config may name.

    Attributes:
        summary: What it is and what speech it was trained on, one line.
        license: Of the weights, or the page that says it.
        url: Where it can be downloaded; empty for one that comes with this package.
        sha256: Of the file; empty where nobody has published it.
    """

    summary: str
    license: str
    url: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class HuggingFaceHome:
    """Where a family lives in transformers.

    Attributes:
        model_type: What config.json calls the family.
        architecture: Class of the bare encoder; the configuration's class ends in Config instead of Model.
        prefix: What models with a head put before the encoder's names, without the dot.
    """

    model_type: str
    architecture: str
    prefix: str


@dataclass(frozen=True)
class Framing:
    """How audio becomes frames.

    Attributes:
        convolutions: (kernel, stride) of each layer that makes fewer frames of more [samples at 16 kHz for the first].
        fewest_samples: The shortest waveform that gives a usable frame [samples at 16 kHz].
    """

    convolutions: tuple[tuple[int, int], ...]
    fewest_samples: int

    def count(self, sample_count: Count) -> Count:
        """Returns how many frames are made of `sample_count` samples, 0 when they are too few for one."""
        frames = sample_count
        for kernel, step in self.convolutions:
            frames = (frames - kernel) // step + 1  # what is below the kernel gets to 0 or below, and stays there
        return frames * ((frames > 0) & (sample_count >= self.fewest_samples))

    @property
    def stride(self) -> int:
        """How far apart frames begin [samples at 16 kHz]."""
        return math.prod(step for _, step in self.convolutions)

    @property
    def width(self) -> int:
        """How much audio each frame hears [samples at 16 kHz]."""
        stride, width = 1, 1
        for kernel, step in self.convolutions:
            width += (kernel - 1) * stride
            stride *= step
        return width


@dataclass(frozen=True)
class EncoderFamily:
    """The facts of one family of speech encoders.

    Attributes:
        name: The name in the catalogue.
        expert: s3prl's module that holds its `UpstreamExpert`.
        network: `module:class` of the bare network in s3prl.
        network_arguments: What its constructor takes: (path of a section in the checkpoint, class that reads the
            section, or empty for the section as it is).
        network_place: Path of the bare network inside the expert.
        weights_key: Where s3prl's converted checkpoint keeps the weights.
        required_keys: The top-level keys that s3prl's loader insists on.
        configuration: Path of the section that holds the architecture; empty where s3prl hard-codes it.
        conv_key: Key of the CNN's architecture string in that section, which s3prl evaluates as Python; empty where
            there is no CNN.
        normalize: Path of the flag that says whether each waveform is normalised to mean 0 and variance 1 before it
            is padded; empty where the family never does it.
        convolutions: (kernel, stride) of the CNN's layers [samples at 16 kHz for the first one].
        fewest_samples: The shortest waveform that gives a usable frame [samples at 16 kHz].
        cnn_prefixes: Weights that begin so are the CNN feature extractor; Speech-FT freezes them throughout.
        kept_prefixes: Weights that begin so belong to the pre-training objective: a merge keeps the base's, and a
            tuned checkpoint need not have them.
        untrained_prefixes: Weights that begin so get no gradient from a task's loss, as masking is off: they merge
            like others, since continued pre-training changes them, but no optimizer needs them.
        foreign_prefixes: Weights that begin so are in the family's fairseq checkpoints, but s3prl's loader refuses
            them.
        network_prefixes: Weights that begin so are all that s3prl loads, where it passes over what else is in a file;
            that is kept like a head. Empty where the file holds the network and nothing else.
        inner_key: Key among the weights that holds no weight and that s3prl's loader insists on deleting; empty if
            there is none.
        marks: Parts of names that tell the family's weights from those of other families.
        config_name: What fairseq's configuration calls the family (`_name`); empty where fairseq has no such family.
        call: Keyword arguments of the expert that make it return hidden states and nothing else.
        published: Name → checkpoint in s3prl's converted layout; the first one to download is the stock one.
        sizes: Size name → configuration sections of a randomly initialised encoder.
        home: Where the family lives in transformers; None where it has no home.
    """

    name: str
    expert: str
    network: str
    network_arguments: tuple[tuple[tuple[str, ...], str], ...]
    weights_key: str
    required_keys: tuple[str, ...]
    convolutions: tuple[tuple[int, int], ...]
    kept_prefixes: tuple[str, ...]
    marks: tuple[str, ...]
    published: Mapping[str, Published]
    sizes: Mapping[str, Mapping[str, object]]
    configuration: tuple[str, ...] = ()
    conv_key: str = ""
    normalize: tuple[str, ...] = ()
    config_name: str = ""
    fewest_samples: int = 400
    network_place: str = "model"
    cnn_prefixes: tuple[str, ...] = ("feature_extractor.",)
    untrained_prefixes: tuple[str, ...] = (MASK_EMBEDDING,)
    foreign_prefixes: tuple[str, ...] = ()
    network_prefixes: tuple[str, ...] = ()
    inner_key: str = ""
    call: Mapping[str, object] = field(default_factory=dict)
    home: HuggingFaceHome | None = None

    @property
    def framing(self) -> Framing:
        """How the encoder makes frames."""
        return Framing(self.convolutions, self.fewest_samples)

    def frame_count(self, sample_count: Count) -> Count:
        """Returns how many frames the encoder makes of `sample_count` samples, 0 when they are too few for one."""
        return self.framing.count(sample_count)

    @property
    def stock(self) -> str:
        """The name of the checkpoint that published figures are mostly of."""
        return next(name for name, each in self.published.items() if each.url)

    def is_cnn(self, name: str) -> bool:
        """Whether the weight called `name` belongs to the CNN feature extractor."""
        return name.startswith(self.cnn_prefixes)

    def is_kept(self, name: str) -> bool:
        """Whether a merge keeps the base's value of the weight called `name`."""
        is_beside = bool(self.network_prefixes) and not name.startswith(self.network_prefixes)
        return is_beside or name.startswith(self.kept_prefixes)

    def is_untrained(self, name: str) -> bool:
        """Whether no task's loss reaches the weight called `name`, be it frozen or not."""
        return self.is_kept(name) or name.startswith(self.untrained_prefixes)

    def section(self, container: Mapping[str, object], path: tuple[str, ...]) -> object:
        """Returns what lies at `path` in a checkpoint's container, None when nothing does."""
        place: object = container
        for key in path:
            place = place.get(key) if isinstance(place, Mapping) else None
        return place

    def normalizes(self, container: Mapping[str, object]) -> bool:
        """Whether an encoder with this configuration wants each waveform at mean 0 and variance 1."""
        return bool(self.normalize) and bool(self.section(container, self.normalize))
