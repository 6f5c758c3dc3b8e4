"""HuBERT, Hsu et al. 2021, arXiv 2106.07447."""

from __future__ import annotations

from speechft_cli.encoders.base import EncoderFamily, HuggingFaceHome, Published
from speechft_cli.encoders.layouts import CONVERTED, CONVOLUTIONS, Size, architecture, pretraining_task


def _size(size: Size, final_dim: int) -> dict[str, object]:
    is_large = size == "large"
    return {
        "task_cfg": pretraining_task("hubert_pretraining", normalize=is_large)
        | {"labels": ["km"], "label_rate": 50.0, "random_crop": True, "pad_audio": False},
        "model_cfg": architecture(size)
        | {
            "_name": "hubert",
            "label_rate": 50.0,
            "final_dim": final_dim,
            "untie_final_proj": False,
            "logit_temp": 0.1,
            "target_glu": False,
            "latent_temp": [2.0, 0.5, 0.999995],
            "skip_masked": False,
            "skip_nomask": False,
        },
        "dictionaries_symbols": [["<s>", "<pad>", "</s>", "<unk>", *map(str, range(500))]],
    }


HUBERT = EncoderFamily(
    name="hubert",
    expert="s3prl.upstream.hubert.expert",
    network="s3prl.upstream.hubert.hubert_model:HubertModel",
    network_arguments=(
        (("model_cfg",), "HubertConfig"),
        (("task_cfg",), "HubertPretrainingConfig"),
        (("dictionaries_symbols",), ""),
    ),
    weights_key="model_weight",
    required_keys=("task_cfg", "model_cfg", "model_weight", "dictionaries_symbols"),
    configuration=("model_cfg",),
    conv_key="conv_feature_layers",
    normalize=("task_cfg", "normalize"),
    convolutions=CONVOLUTIONS,
    kept_prefixes=("final_proj", "label_embs_concat"),
    marks=("label_embs_concat",),
    config_name="hubert",
    published={
        "hubert-small": Published(
            "HuBERT small, 3.2 M parameters, pre-trained by this project and shipped with it",
            "CC BY 4.0, attribution in its model card",
        ),
        "hubert-base": Published(
            "HuBERT base, 95 M parameters; LibriSpeech, 960 h", "MIT (fairseq)", CONVERTED + "hubert_base_ls960.pt"
        ),
        "hubert-large": Published(
            "HuBERT large, 317 M parameters; Libri-Light, 60 000 h",
            "MIT (fairseq)",
            CONVERTED + "hubert_large_ll60k.pt",
        ),
    },
    sizes={
        "tiny": _size("tiny", 128),
        "small": _size("small", 192),
        "base": _size("base", 256),
        "large": _size("large", 768),
    },
    home=HuggingFaceHome("hubert", "HubertModel", "hubert"),
)
