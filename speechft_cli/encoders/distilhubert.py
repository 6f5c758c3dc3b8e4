"""DistilHuBERT, Chang et al. 2022, arXiv 2110.01900."""

from __future__ import annotations

from speechft_cli.encoders.base import EncoderFamily, Published
from speechft_cli.encoders.layouts import CONVOLUTIONS, conv_spec


def _size(*, width: int, feed_forward: int, heads: int, channels: int, positions: int) -> dict[str, object]:
    return {
        "Config": {
            "distiller": {
                "extractor_mode": "default",
                "extractor_conv_feature_layers": conv_spec(channels),
                "extractor_dropout": 0.0,
                "feature_grad_mult": 0.1,
                "conv_pos": positions,
                "conv_pos_groups": 16,
                "encoder_layers": 2,
                "encoder_embed_dim": width,
                "encoder_ffn_embed_dim": feed_forward,
                "encoder_attention_heads": heads,
                "activation_fn": "gelu",
                "layer_norm_first": False,
                "attention_type": "original",
                "dropout": 0.1,
                "attention_dropout": 0.1,
                "activation_dropout": 0.1,
                "encoder_layerdrop": 0.0,
                "final_dim": width,
                "out_layer_type": "expand-last",
                "out_layer_inter_dim": -1,
                "n_tasks": 3,
                "task_emb_type": "expand-last",
                "pred_layer_id": [4, 8, 12],
            }
        }
    }


DISTILHUBERT = EncoderFamily(
    name="distilhubert",
    expert="s3prl.upstream.distiller.expert",
    network="s3prl.upstream.distiller.model:DistillerModel",
    network_arguments=((("Config", "distiller"), "DistillerConfig"),),
    network_place="model.model",
    weights_key="Distiller",
    required_keys=("Config", "Distiller"),
    configuration=("Config", "distiller"),
    conv_key="extractor_conv_feature_layers",
    convolutions=CONVOLUTIONS,
    # the heads that predict the teacher's layers
    kept_prefixes=("output_layer", "task_embedding"),
    untrained_prefixes=(),
    marks=("output_layer.",),
    # without its prediction heads: they are no hidden states of this network
    call={"no_pred": True},
    published={
        "distilhubert": Published(
            "DistilHuBERT, 27 M parameters; LibriSpeech, 960 h",
            "see github.com/s3prl/s3prl",
            "https://huggingface.co/leo19941227/distilhubert/resolve/main/distilhubert_ls960_4-8-12.ckpt",
        ),
    },
    sizes={
        "tiny": _size(width=128, feed_forward=512, heads=4, channels=64, positions=64),
        "base": _size(width=768, feed_forward=3072, heads=12, channels=512, positions=128),
    },
)
