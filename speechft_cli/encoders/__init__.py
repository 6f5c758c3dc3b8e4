"""Encoder families as facts, their checkpoint formats, and the one door to s3prl. ENCODERS is the catalogue."""

from __future__ import annotations

from speechft_cli.encoders.base import EncoderFamily
from speechft_cli.registry import Entry, Registry

ENCODERS: Registry[EncoderFamily] = Registry(
    "encoder family",
    {
        "hubert": Entry(
            "speechft_cli.encoders.hubert:HUBERT",
            "HuBERT: masked prediction of clustered units",
            "Hsu et al. 2021, arXiv 2106.07447",
        ),
    },
)
