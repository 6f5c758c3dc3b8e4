"""Encoder families as facts, checkpoint formats, the one door to s3prl. ENCODERS and FORMATS are the catalogues."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speechft_cli.registry import Entry, Registry

if TYPE_CHECKING:
    from speechft_cli.encoders.base import EncoderFamily
    from speechft_cli.encoders.formats.base import OutputFormat

ENCODERS: Registry[EncoderFamily] = Registry(
    "encoder family",
    {
        "hubert": Entry(
            "speechft_cli.encoders.hubert:HUBERT",
            "HuBERT: masked prediction of clustered units; tiny, small, base, large",
            "Hsu et al. 2021, arXiv 2106.07447",
        ),
        "wav2vec2": Entry(
            "speechft_cli.encoders.wav2vec2:WAV2VEC2",
            "wav2vec 2.0: contrastive prediction of quantised frames; tiny, base, large",
            "Baevski et al. 2020, arXiv 2006.11477",
        ),
        "wavlm": Entry(
            "speechft_cli.encoders.wavlm:WAVLM",
            "WavLM: masked prediction on mixed speech, gated relative positions; tiny, base, large",
            "Chen et al. 2022, arXiv 2110.13900",
        ),
        "decoar2": Entry(
            "speechft_cli.encoders.decoar2:DECOAR2",
            "DeCoAR 2.0: reconstruction from quantised mel features, no CNN; tiny, base",
            "Ling and Liu 2020, arXiv 2012.06659",
        ),
        "data2vec": Entry(
            "speechft_cli.encoders.data2vec:DATA2VEC",
            "data2vec: regression onto the layers of an averaged teacher; tiny, base, large",
            "Baevski et al. 2022, arXiv 2202.03555",
        ),
        "unispeech_sat": Entry(
            "speechft_cli.encoders.unispeech_sat:UNISPEECH_SAT",
            "UniSpeech-SAT: masked prediction, aware of speakers; tiny, base, large",
            "Chen et al. 2022, arXiv 2110.05752",
        ),
        "distilhubert": Entry(
            "speechft_cli.encoders.distilhubert:DISTILHUBERT",
            "DistilHuBERT: two layers that predict three of HuBERT's; tiny, base",
            "Chang et al. 2022, arXiv 2110.01900",
        ),
    },
)

#: The formats an encoder can be written in.
FORMATS: Registry[OutputFormat] = Registry(
    "checkpoint format",
    {
        "s3prl": Entry(
            "speechft_cli.encoders.formats.converted:S3PRL",
            "STEM.pt, which stock s3prl loads",
            "s3prl 0.4.18, `load_converted_model`",
        ),
        "hf": Entry(
            "speechft_cli.encoders.formats.huggingface:HUGGING_FACE",
            "folder STEM-hf, which from_pretrained of transformers loads; not for decoar2 and distilhubert",
            "github.com/huggingface/transformers",
        ),
        "safetensors": Entry(
            "speechft_cli.encoders.formats.safetensors:SAFETENSORS",
            "STEM.safetensors with the configuration in its metadata; nothing in it can be executed",
            "github.com/huggingface/safetensors",
        ),
    },
)
