"""Corpora → manifests → batches. CORPORA is the catalogue; a corpus is one file and one line here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from speechft_cli.registry import Entry, Registry

if TYPE_CHECKING:
    from speechft_cli.data.corpus import Corpus

_READERS = "speechft_cli.data.corpora"

CORPORA: Registry[Corpus] = Registry(
    "corpus",
    {
        "tedlium": Entry(
            f"{_READERS}.tedlium:TEDLIUM",
            "TED-LIUM 3: talks with transcripts, the legacy split",
            "Hernandez et al. 2018, https://www.openslr.org/51",
        ),
        "librispeech": Entry(
            f"{_READERS}.librispeech:LIBRISPEECH",
            "read English with transcripts",
            "Panayotov et al. 2015, https://www.openslr.org/12",
        ),
        "voxceleb1": Entry(
            f"{_READERS}.voxceleb1:VOXCELEB1",
            "1251 celebrities, split for speaker identification",
            "Nagrani et al. 2017, https://www.robots.ox.ac.uk/~vgg/data/voxceleb/vox1.html",
        ),
        "iemocap": Entry(
            f"{_READERS}.iemocap:IEMOCAP",
            "acted dialogues, four emotions, five folds",
            "Busso et al. 2008, https://sail.usc.edu/iemocap/",
        ),
        "speech-commands": Entry(
            f"{_READERS}.speech_commands:SPEECH_COMMANDS",
            "one-second words, twelve keyword classes",
            "Warden 2018, https://arxiv.org/abs/1804.03209",
        ),
        "fluent-speech-commands": Entry(
            f"{_READERS}.fluent_speech_commands:FLUENT_SPEECH_COMMANDS",
            "commands with action, object and location",
            "Lugosch et al. 2019, https://arxiv.org/abs/1904.03670",
        ),
        "snips": Entry(
            f"{_READERS}.snips:SNIPS",
            "synthesised requests with slots and intents, as SUPERB has them",
            "Coucke et al. 2018 and Lai et al. 2021, https://arxiv.org/abs/1805.10190",
        ),
        "aishell3": Entry(
            f"{_READERS}.aishell3:AISHELL3",
            "read Mandarin with characters and pinyin",
            "Shi et al. 2020, https://www.openslr.org/93",
        ),
        "an4": Entry(
            f"{_READERS}.an4:AN4",
            "spelt and spoken census data with transcripts and phonemes",
            "CMU 1991, http://www.speech.cs.cmu.edu/databases/an4/",
        ),
        "crema-d": Entry(
            f"{_READERS}.crema_d:CREMA_D",
            "twelve sentences, six acted emotions, 91 actors",
            "Cao et al. 2014, https://github.com/CheyneyComputerScience/CREMA-D",
        ),
        "emodb": Entry(
            f"{_READERS}.emodb:EMODB",
            "ten German sentences, seven acted emotions",
            "Burkhardt et al. 2005, http://emodb.bilderbar.info",
        ),
        "fsdd": Entry(
            f"{_READERS}.fsdd:FSDD",
            "spoken digits",
            "https://github.com/Jakobovski/free-spoken-digit-dataset",
        ),
        "manifest": Entry(
            f"{_READERS}.manifest_file:MANIFEST_FILE",
            "any JSONL, CSV or TSV with an audio path, and text, speaker, phones, labels",
            "your own",
        ),
        "folder": Entry(f"{_READERS}.class_folders:CLASS_FOLDERS", "one folder of recordings per class", "your own"),
        "synthetic": Entry(
            f"{_READERS}.synthetic:SYNTHETIC",
            "sentences spoken by many espeak-ng voices, with text, phonemes and speakers",
            "espeak-ng, https://github.com/espeak-ng/espeak-ng",
        ),
    },
)
