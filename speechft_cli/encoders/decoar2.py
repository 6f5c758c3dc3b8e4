"""DeCoAR 2.0, Ling and Liu 2020, arXiv 2012.06659."""

from __future__ import annotations

from speechft_cli.encoders.base import EncoderFamily, Published
from speechft_cli.encoders.layouts import CONVERTED


def _size(*, layers: int, width: int, feed_forward: int, positions: int) -> dict[str, object]:
    return {
        "args": {
            "encoder_layers": layers,
            "encoder_embed_dim": width,
            "encoder_ffn_embed_dim": feed_forward,
            "encoder_attention_heads": width // 64,
            "conv_pos": positions,
            "conv_pos_groups": 16,
        }
    }


DECOAR2 = EncoderFamily(
    name="decoar2",
    expert="s3prl.upstream.decoar2.expert",
    network="s3prl.upstream.decoar2.decoar2:Decoar2",
    network_arguments=(),
    weights_key="model",
    required_keys=("model",),
    # no CNN: 80 log mel bands of 25 ms each 10 ms, normalised per utterance; every second one is encoded
    convolutions=((400, 160), (1, 2)),
    # one band vector has no standard deviation, and s3prl's normalisation makes NaN of it
    fewest_samples=560,
    cnn_prefixes=(),
    kept_prefixes=(),
    network_prefixes=("post_extract_proj.", "encoder."),
    untrained_prefixes=(),
    marks=(),
    published={
        "decoar2": Published(
            "DeCoAR 2.0, 90 M parameters; LibriSpeech, 960 h",
            "see github.com/awslabs/speech-representations",
            CONVERTED + "checkpoint_decoar2.pt",
        ),
    },
    sizes={
        "tiny": _size(layers=3, width=128, feed_forward=512, positions=64),
        "base": _size(layers=12, width=768, feed_forward=3072, positions=128),
    },
)
