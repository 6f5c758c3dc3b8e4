"""wav2vec 2.0, Baevski et al. 2020, arXiv 2006.11477."""

from __future__ import annotations

from speechft_cli.encoders.base import EncoderFamily, HuggingFaceHome, Published
from speechft_cli.encoders.layouts import CONVERTED, CONVOLUTIONS, Size, architecture, pretraining_task


def _size(size: Size, *, final_dim: int, codes: int) -> dict[str, object]:
    is_large = size == "large"
    return {
        "task_cfg": pretraining_task("audio_pretraining", normalize=is_large) | {"labels": None},
        "model_cfg": architecture(size)
        | {
            "_name": "wav2vec2",
            # the released large models (LV-60) have biases in their CNN
            "conv_bias": is_large,
            "mask_prob": 0.65,
            "final_dim": final_dim,
            "quantize_targets": True,
            "latent_vars": codes,
            "latent_groups": 2,
            "latent_dim": 0,
            "num_negatives": 100,
            "cross_sample_negatives": 0,
            "codebook_negatives": 0,
            "logit_temp": 0.1,
            "latent_temp": [2.0, 0.5, 0.999995],
        },
    }


WAV2VEC2 = EncoderFamily(
    name="wav2vec2",
    expert="s3prl.upstream.wav2vec2.expert",
    network="s3prl.upstream.wav2vec2.wav2vec2_model:Wav2Vec2Model",
    network_arguments=((("model_cfg",), "Wav2Vec2Config"),),
    weights_key="model_weight",
    required_keys=("task_cfg", "model_cfg", "model_weight"),
    configuration=("model_cfg",),
    conv_key="conv_feature_layers",
    normalize=("task_cfg", "normalize"),
    convolutions=CONVOLUTIONS,
    kept_prefixes=("final_proj", "project_q", "project_inp", "quantizer", "input_quantizer", "target_glu"),
    marks=("quantizer.vars",),
    config_name="wav2vec2",
    published={
        "wav2vec2-base": Published(
            "wav2vec 2.0 base, 95 M parameters; LibriSpeech, 960 h", "MIT (fairseq)", CONVERTED + "wav2vec_small.pt"
        ),
        "wav2vec2-large": Published(
            "wav2vec 2.0 large, 317 M parameters; Libri-Light, 60 000 h",
            "MIT (fairseq)",
            CONVERTED + "wav2vec_vox_new.pt",
        ),
    },
    sizes={
        "tiny": _size("tiny", final_dim=64, codes=40),
        "base": _size("base", final_dim=256, codes=320),
        "large": _size("large", final_dim=768, codes=320),
    },
    home=HuggingFaceHome("wav2vec2", "Wav2Vec2Model", "wav2vec2"),
)
