"""HuBERT, Hsu et al. 2021, arXiv 2106.07447."""

from __future__ import annotations

from speechft_cli.encoders.base import EncoderFamily

_CONVOLUTIONS = ((10, 5), (3, 2), (3, 2), (3, 2), (3, 2), (2, 2), (2, 2))


def _size(
    *, layers: int, width: int, feed_forward: int, heads: int, channels: int, positions: int
) -> dict[str, object]:
    """The configuration of a base-style HuBERT (post-LayerNorm, GroupNorm in the CNN), as s3prl's file has it."""
    return {
        "task_cfg": {
            "_name": "hubert_pretraining",
            "data": "",
            "labels": ["km"],
            "label_rate": 50.0,
            "sample_rate": 16_000,
            "normalize": False,
            "enable_padding": False,
            "max_sample_size": 250_000,
            "min_sample_size": 32_000,
            "random_crop": True,
            "pad_audio": False,
        },
        "model_cfg": {
            "_name": "hubert",
            "label_rate": 50.0,
            "extractor_mode": "default",
            "encoder_layers": layers,
            "encoder_embed_dim": width,
            "encoder_ffn_embed_dim": feed_forward,
            "encoder_attention_heads": heads,
            "activation_fn": "gelu",
            "dropout": 0.1,
            "attention_dropout": 0.1,
            "activation_dropout": 0.0,
            "encoder_layerdrop": 0.05,
            "dropout_input": 0.1,
            "dropout_features": 0.1,
            "final_dim": min(256, width),
            "untie_final_proj": False,
            "layer_norm_first": False,
            "conv_feature_layers": str([(channels, kernel, stride) for kernel, stride in _CONVOLUTIONS]),
            "conv_bias": False,
            "logit_temp": 0.1,
            "target_glu": False,
            "feature_grad_mult": 0.1,
            "mask_length": 10,
            "mask_prob": 0.8,
            "mask_selection": "static",
            "mask_other": 0.0,
            "no_mask_overlap": False,
            "mask_min_space": 1,
            "mask_channel_length": 10,
            "mask_channel_prob": 0.0,
            "mask_channel_selection": "static",
            "mask_channel_other": 0.0,
            "no_mask_channel_overlap": False,
            "mask_channel_min_space": 1,
            "conv_pos": positions,
            "conv_pos_groups": 16,
            "latent_temp": [2.0, 0.5, 0.999995],
            "skip_masked": False,
            "skip_nomask": False,
        },
        "dictionaries_symbols": [["<s>", "<pad>", "</s>", "<unk>", *map(str, range(500))]],
    }


HUBERT = EncoderFamily(
    name="hubert",
    expert="s3prl.upstream.hubert.expert",
    network="HubertModel",
    network_arguments=(
        ("model_cfg", "HubertConfig"),
        ("task_cfg", "HubertPretrainingConfig"),
        ("dictionaries_symbols", ""),
    ),
    weights_key="model_weight",
    required_keys=("task_cfg", "model_cfg", "model_weight", "dictionaries_symbols"),
    convolutions=_CONVOLUTIONS,
    cnn_prefixes=("feature_extractor.",),
    kept_prefixes=("final_proj", "label_embs_concat"),
    conv_spec=("model_cfg", "conv_feature_layers"),
    published="https://huggingface.co/s3prl/converted_ckpts/resolve/main/hubert_base_ls960.pt",
    sizes={
        "tiny": _size(layers=3, width=128, feed_forward=512, heads=4, channels=64, positions=64),
        "base": _size(layers=12, width=768, feed_forward=3072, heads=12, channels=512, positions=128),
    },
)
