"""UniSpeech-SAT, Chen et al. 2022, arXiv 2110.05752: WavLM's network without relative positions."""

from __future__ import annotations

from speechft_cli.encoders.base import EncoderFamily, HuggingFaceHome, Published
from speechft_cli.encoders.layouts import CONVERTED, CONVOLUTIONS, Size, architecture


def _size(size: Size) -> dict[str, object]:
    return {
        "cfg": architecture(size)
        | {"normalize": size == "large", "relative_position_embedding": False, "gru_rel_pos": False}
    }


UNISPEECH_SAT = EncoderFamily(
    name="unispeech_sat",
    expert="s3prl.upstream.unispeech_sat.expert",
    network="s3prl.upstream.wavlm.WavLM:WavLM",
    network_arguments=((("cfg",), "WavLMConfig"),),
    weights_key="model",
    required_keys=("cfg", "model"),
    configuration=("cfg",),
    conv_key="conv_feature_layers",
    normalize=("cfg", "normalize"),
    convolutions=CONVOLUTIONS,
    kept_prefixes=("final_proj", "label_embs_concat", "quantizer", "project_q", "spk_proj"),
    foreign_prefixes=("final_proj", "label_embs_concat", "quantizer", "project_q", "spk_proj"),
    # what nothing marks: mask_emb, a CNN and a Transformer
    marks=(),
    published={
        "unispeech-sat-base-plus": Published(
            "UniSpeech-SAT base+, 94 M parameters; Libri-Light, GigaSpeech, VoxPopuli, 94 000 h",
            "see github.com/microsoft/UniSpeech",
            CONVERTED + "unispeech_sat_base_plus.pt",
        ),
        "unispeech-sat-base": Published(
            "UniSpeech-SAT base, 94 M parameters; LibriSpeech, 960 h",
            "see github.com/microsoft/UniSpeech",
            CONVERTED + "unispeech_sat_base.pt",
        ),
        "unispeech-sat-large": Published(
            "UniSpeech-SAT large, 315 M parameters; Libri-Light, GigaSpeech, VoxPopuli, 94 000 h",
            "see github.com/microsoft/UniSpeech",
            CONVERTED + "unispeech_sat_large.pt",
        ),
    },
    sizes={"tiny": _size("tiny"), "base": _size("base"), "large": _size("large")},
    home=HuggingFaceHome("unispeech-sat", "UniSpeechSatModel", "unispeech_sat"),
)
