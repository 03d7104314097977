"""What the publish stage reports, to its message and back."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Final

from shared.stage.checks import (
    MalformedMessage,
    duration,
    md5,
    not_negative,
    own_key,
    to_duration,
)
from shared.stage.job import Published, StoredFile
from stagedoor.events.v1 import work_pb2 as pb

_MAX_FILES: Final = 100


def encode_published(outcome: Published) -> pb.RunReport.Published:
    """The message of what was published."""
    return pb.RunReport.Published(
        files=[_to_file(each) for each in outcome.files],
        duration=to_duration(timedelta(seconds=outcome.duration_seconds)),
        integrated_lufs=outcome.integrated_lufs,
        true_peak_dbtp=outcome.true_peak_dbtp,
    )


def decode_published(message: pb.RunReport.Published, run: str) -> Published:
    """What was published; ``run`` ends the keys that the run may name, before the formats.

    Raises MalformedMessage.
    """
    if not 0 < len(message.files) <= _MAX_FILES:
        raise MalformedMessage(f"{len(message.files)} files")
    return Published(
        files=tuple(_file(each, run) for each in message.files),
        duration_seconds=duration(message.duration).total_seconds(),
        integrated_lufs=(
            _finite(message.integrated_lufs) if message.HasField("integrated_lufs") else None
        ),
        true_peak_dbtp=(
            _finite(message.true_peak_dbtp) if message.HasField("true_peak_dbtp") else None
        ),
    )


def _to_file(file: StoredFile) -> pb.RunReport.Published.File:
    return pb.RunReport.Published.File(
        format=file.format,
        blob_key=file.blob_key,
        size_bytes=file.size_bytes,
        md5=file.md5,
        sample_rate_hertz=file.sample_rate,
        channels=file.channels,
        bit_depth=file.bit_depth,
    )


def _file(file: pb.RunReport.Published.File, run: str) -> StoredFile:
    return StoredFile(
        format=file.format,
        blob_key=own_key(file.blob_key, f"{run}.{file.format}"),
        size_bytes=not_negative(file.size_bytes),
        md5=md5(file.md5),
        sample_rate=not_negative(file.sample_rate_hertz),
        channels=not_negative(file.channels),
        bit_depth=not_negative(file.bit_depth),
    )


def _finite(number: float) -> float:
    if not math.isfinite(number):
        raise MalformedMessage("no level")
    return number
