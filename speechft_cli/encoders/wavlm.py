"""WavLM, Chen et al. 2022, arXiv 2110.13900."""

from __future__ import annotations

from speechft_cli.encoders.base import EncoderFamily, HuggingFaceHome, Published
from speechft_cli.encoders.layouts import CONVERTED, CONVOLUTIONS, Size, architecture


def _size(size: Size) -> dict[str, object]:
    return {
        "cfg": architecture(size)
        | {
            "normalize": size == "large",
            "relative_position_embedding": True,
            "num_buckets": 320,
            "max_distance": 800,
            "gru_rel_pos": True,
        }
    }


WAVLM = EncoderFamily(
    name="wavlm",
    expert="s3prl.upstream.wavlm.expert",
    network="s3prl.upstream.wavlm.WavLM:WavLM",
    network_arguments=((("cfg",), "WavLMConfig"),),
    weights_key="model",
    required_keys=("cfg", "model"),
    configuration=("cfg",),
    conv_key="conv_feature_layers",
    normalize=("cfg", "normalize"),
    convolutions=CONVOLUTIONS,
    kept_prefixes=("final_proj", "label_embs_concat"),
    foreign_prefixes=("final_proj", "label_embs_concat"),
    marks=(".self_attn.relative_attention_bias.",),
    published={
        "wavlm-base-plus": Published(
            "WavLM base+, 94 M parameters; Libri-Light, GigaSpeech, VoxPopuli, 94 000 h",
            "MIT (unilm)",
            CONVERTED + "wavlm_base_plus.pt",
        ),
        "wavlm-base": Published(
            "WavLM base, 94 M parameters; LibriSpeech, 960 h", "MIT (unilm)", CONVERTED + "wavlm_base.pt"
        ),
        "wavlm-large": Published(
            "WavLM large, 315 M parameters; Libri-Light, GigaSpeech, VoxPopuli, 94 000 h",
            "MIT (unilm)",
            CONVERTED + "wavlm_large.pt",
        ),
    },
    sizes={"tiny": _size("tiny"), "base": _size("base"), "large": _size("large")},
    home=HuggingFaceHome("wavlm", "WavLMModel", "wavlm"),
)
