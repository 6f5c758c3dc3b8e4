"""data2vec for speech, Baevski et al. 2022, arXiv 2202.03555."""

from __future__ import annotations

from speechft_cli.encoders.base import EncoderFamily, HuggingFaceHome, Published
from speechft_cli.encoders.layouts import CONVERTED, CONVOLUTIONS, Size, architecture, pretraining_task


def _size(size: Size) -> dict[str, object]:
    return {
        "task_cfg": pretraining_task("audio_pretraining", normalize=True) | {"labels": None},
        "model_cfg": architecture(size, "base")
        | {
            "_name": "data2vec_audio",
            # all sizes have LayerNorm in the CNN, but after each Transformer block
            "extractor_mode": "layer_norm",
            "dropout_input": 0.0,
            "dropout_features": 0.0,
            "encoder_layerdrop": 0.05,
            "feature_grad_mult": 1.0,
            "mask_prob": 0.65,
            # five convolutions of kernel 95 // 5, each with a LayerNorm, instead of one with weight norm
            "pos_conv_depth": 5,
            "conv_pos": 95,
            "average_top_k_layers": 8 if size != "tiny" else 2,
            "ema_decay": 0.999,
            "ema_end_decay": 0.9999,
        },
    }


DATA2VEC = EncoderFamily(
    name="data2vec",
    expert="s3prl.upstream.data2vec.expert",
    network="s3prl.upstream.data2vec.data2vec_model:Data2VecAudioModel",
    network_arguments=((("model_cfg",), "Data2VecAudioConfig"),),
    weights_key="model_weight",
    required_keys=("task_cfg", "model_cfg", "model_weight"),
    configuration=("model_cfg",),
    conv_key="conv_feature_layers",
    normalize=("task_cfg", "normalize"),
    convolutions=CONVOLUTIONS,
    kept_prefixes=("final_proj",),
    foreign_prefixes=("final_proj",),
    # the averaged teacher of pre-training
    inner_key="_ema",
    marks=("encoder.pos_conv.1.0.",),
    config_name="data2vec_audio",
    published={
        "data2vec-base": Published(
            "data2vec base, 93 M parameters; LibriSpeech, 960 h", "MIT (fairseq)", CONVERTED + "audio_base_ls.pt"
        ),
        "data2vec-large": Published(
            "data2vec large, 313 M parameters; Libri-Light, 60 000 h", "MIT (fairseq)", CONVERTED + "vox_pretrained.pt"
        ),
    },
    sizes={"tiny": _size("tiny"), "base": _size("base"), "large": _size("large")},
    home=HuggingFaceHome("data2vec-audio", "Data2VecAudioModel", "data2vec_audio"),
)
