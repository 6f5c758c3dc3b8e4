"""Audio → features of chosen layers, in files for whatever comes next."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from speechft_cli.data.audio import SAMPLE_RATE, read_waveform
from speechft_cli.data.utterance import Utterance
from speechft_cli.encoders.encoder import FrozenEncoder
from speechft_cli.engines.extract.parts import check_folder, is_done, parts_of, read_part, write_part
from speechft_cli.engines.extract.request import ExtractRequest, open_encoder
from speechft_cli.engines.extract.sources import file_states, read_audio
from speechft_cli.engines.stopping import stoppable
from speechft_cli.errors import amount
from speechft_cli.events import Advanced, Finished, Report, Result, Started, ignore
from speechft_cli.io.atomic import write_json, write_text
from speechft_cli.io.lock import locked
from speechft_cli.probing.encoding import encode_batch, plan_batches, read_ahead
from speechft_cli.training.ranks import joined

_RECORD, _INDEX = "extract.json", "index.jsonl"
_STOPPED = "interrupted; the parts that are done are kept, and the same command goes on from there"
_DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def run(request: ExtractRequest, report: Report) -> Result:
    """Writes the features of every utterance, an index of them, and extract.json, which says what they are.

    The utterances are divided into parts. A part that is there, made in the same way, is not made again, so an
    interrupted run goes on where it was; under torchrun all processes share the parts.

    Raises:
        RequestError: Something asked for can't be; nothing was written.
        SpeechftError: A recording can't be read, or the disk is full; the parts that were done stay.
        InterruptedRunError: SIGINT, SIGTERM or SIGHUP arrived.
    """
    with stoppable(_STOPPED), joined() as ranks:
        report = report if ranks.is_first else ignore
        with ranks.agreed():  # the first says what is wrong before a launcher ends it because another has ended
            encoder, layers, digest = open_encoder(request, report)
            utterances = read_audio(request.audio, request.splits, encoder.framing, report)
            key = _key(request, utterances, layers, digest + encoder.configuration)
            check_folder(request.out, key)
        parts = parts_of(plan_batches(utterances, request.batching))
        mine = [(number, part) for number, part in enumerate(parts) if number % ranks.world == ranks.rank]
        with locked(request.out, report, leave_nothing=True) if ranks.is_first else contextlib.nullcontext():
            report(Started("extracting", sum(len(batch) for _, part in mine for batch in part), "utterances"))
            done, reused = 0, 0
            for number, part in mine:
                if is_done(request.out, number, key):
                    reused += 1
                    done += sum(map(len, part))
                    report(Advanced(done))
                    continue
                features: dict[str, Tensor] = {}
                for batch, waveforms in zip(part, read_ahead(part, read_waveform), strict=True):
                    states = encode_batch(encoder, batch, waveforms)
                    for utterance, each in zip(batch, states, strict=True):
                        chosen = each[layers].mean(dim=1) if request.is_pooled else each[layers]
                        features[utterance.id] = chosen.to(_DTYPES[request.precision]).cpu().contiguous()
                    done += len(batch)
                    report(Advanced(done))
                write_part(request, number, key, [each for batch in part for each in batch], features)
            report(Finished())
            ranks.wait()
            if not ranks.is_first:
                return Result(f"rank {ranks.rank} of {ranks.world}: extracted its share", str(request.out.absolute()))
            index = [line for number in range(len(parts)) for line in read_part(request.out, number)["utterances"]]
            write_text(request.out / _INDEX, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in index))
            record = _record(request, encoder, layers, digest, index, key)
            write_json(request.out / _RECORD, record)
    again = f", {reused} of {len(parts)} parts were there" if reused else ""
    return Result(
        f"{amount(len(index), 'utterances')}, hidden states {', '.join(map(str, layers))}{again}",
        str(request.out.absolute()),
        data=record,
    )


def _key(request: ExtractRequest, utterances: Sequence[Utterance], layers: Sequence[int], identity: str) -> str:
    """Returns a hash of all that the files depend on."""
    heard = [(each.id, str(each.audio), each.start, each.duration) for each in utterances]
    how = [request.file_format, request.precision, request.is_pooled, request.batching]
    return hashlib.sha256(json.dumps([identity, layers, how, heard, file_states(utterances)]).encode()).hexdigest()


def _record(
    request: ExtractRequest,
    encoder: FrozenEncoder,
    layers: Sequence[int],
    digest: str,
    index: Sequence[Mapping[str, object]],
    key: str,
) -> dict[str, object]:
    return {
        "encoder": str(request.encoder),
        "family": encoder.kind,
        "weights_sha256": digest,
        "audio": str(request.audio.absolute()),
        "splits": list(request.splits),
        "hidden_states": list(layers),
        "shape": "(hidden states, features)" if request.is_pooled else "(hidden states, frames, features)",
        "precision": request.precision,
        "batching": request.batching,
        "frame_stride_seconds": encoder.framing.stride / SAMPLE_RATE,
        "frame_width_seconds": encoder.framing.width / SAMPLE_RATE,
        "utterances": len(index),
        "frames": sum(int(str(line["frames"])) for line in index),
        "index": _INDEX,
        "key": key,
    }
