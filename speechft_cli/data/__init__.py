"""Corpora → manifests → batches. CORPORA is the catalogue; a corpus is one file and one line here."""

from __future__ import annotations

from speechft_cli.data.corpus import Corpus
from speechft_cli.registry import Entry, Registry

CORPORA: Registry[Corpus] = Registry(
    "corpus",
    {
        "librispeech": Entry(
            "speechft_cli.data.corpora.librispeech:LIBRISPEECH",
            "read English with transcripts, in its on-disk layout",
            "Panayotov et al. 2015, https://www.openslr.org/12",
        ),
        "manifest": Entry(
            "speechft_cli.data.corpora.manifest_file:MANIFEST_FILE",
            "any JSONL or CSV with an audio path, and text, speaker, phones, labels",
            "your own",
        ),
        "folder": Entry(
            "speechft_cli.data.corpora.class_folders:CLASS_FOLDERS", "one folder of recordings per class", "your own"
        ),
        "synthetic": Entry(
            "speechft_cli.data.corpora.synthetic:SYNTHETIC",
            "sentences spoken by many espeak-ng voices, with text, phonemes and speakers",
            "espeak-ng, https://github.com/espeak-ng/espeak-ng",
        ),
    },
)
