"""The wave container: sizes, chunks and their order. Nothing else is judged when it is broken."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from services.validator.formats.riff import Fmt, RiffFile
from services.validator.formats.source import FormatError
from services.validator.rules.registry import Finding, rule
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_UNIQUE = ("ds64", "fmt ", "data", "axml", "chna", "dbmd")
_PAD = 1


@rule(RiffFile, "file_truncated", spec="EBU Tech 3306 §3; ITU-R BS.2088 §4")
def file_truncated(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """The header or a chunk announces more bytes than the file has."""
    ends = [(chunk.end, f"{chunk.name} chunk, byte {chunk.offset}") for chunk in riff.chunks]
    # Many writers count a last pad byte that they never write.
    if riff.declared_end is not None and riff.declared_end > riff.file_size + _PAD:
        ends.append((riff.declared_end, "RIFF header"))
    late = [(end, where) for end, where in ends if end > riff.file_size]
    if late:
        end, where = max(late)
        yield Finding(
            detail="The file is cut off: its own header announces more bytes than it has.",
            location=where,
            measured=f"{riff.file_size} bytes",
            allowed=f"{end} bytes",
        )


@rule(RiffFile, "size_undeclared", spec="EBU Tech 3306 §3.3")
def size_undeclared(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """A size of 0xFFFFFFFF needs a ds64 chunk that knows the real one."""
    names = [chunk.name for chunk in riff.chunks if not chunk.declared]
    if riff.declared_end is None:
        names.insert(0, riff.form)
    for name in names:
        yield Finding(
            detail=f"The size of {name!r} is left open, so nothing proves that the file is whole.",
            location=f"{name} chunk",
            measured="0xFFFFFFFF",
            allowed="a size in a ds64 chunk",
        )


@rule(RiffFile, "riff_size_wrong", spec="ITU-R BS.2088 §4")
def riff_size_wrong(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """The header's size ends in the middle of a chunk."""
    end = _last_end(riff)
    if riff.declared_end is not None and riff.declared_end < end <= riff.file_size:
        yield Finding(
            detail="The header's size ends inside a chunk.",
            location=f"{riff.chunks[-1].name} chunk",
            measured=riff.declared_end - 8,
            allowed=riff.file_size - 8,
        )


def _last_end(riff: RiffFile) -> int:
    return riff.chunks[-1].end if riff.chunks else 0


@rule(RiffFile, "trailing_bytes", severity=Severity.WARNING, spec="ITU-R BS.2088 §4")
def trailing_bytes(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """Bytes after the end that the header declares belong to nothing."""
    end = riff.declared_end
    if end is not None and _last_end(riff) <= end < riff.file_size - _PAD:
        yield Finding(
            detail="There are bytes after the end that the header declares.",
            location=f"byte {end}",
            measured=f"{riff.file_size - end} bytes",
            allowed="0 bytes",
        )


@rule(RiffFile, "ds64_not_first", spec="EBU Tech 3306 §3.3")
def ds64_not_first(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """The 64-bit sizes must be known before the first chunk that needs them."""
    if any(chunk.name == "ds64" for chunk in riff.chunks[1:]):
        yield Finding(detail="The ds64 chunk is not the first one.", location="ds64 chunk")


@rule(RiffFile, "chunk_duplicated", spec="ITU-R BS.2088 §4")
def chunk_duplicated(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """Two chunks of one kind leave open which one holds."""
    counts = Counter(chunk.name for chunk in riff.chunks)
    for name in _UNIQUE:
        if counts[name] > 1:
            yield Finding(
                detail=f"There are {counts[name]} {name!r} chunks.",
                location=f"{name} chunk",
                measured=counts[name],
                allowed=1,
            )


@rule(RiffFile, "fmt_missing", spec="ITU-R BS.2088 §5")
def fmt_missing(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """Without its format the audio cannot be read."""
    if riff.fmt is None:
        yield Finding(detail="There is no fmt chunk.", location="fmt chunk")


@rule(RiffFile, "fmt_malformed", spec="ITU-R BS.2088 §5")
def fmt_malformed(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """The fmt chunk must have its sixteen bytes, and at least one channel."""
    if isinstance(riff.fmt, FormatError):
        yield Finding(detail=f"{riff.fmt.detail}.", location=f"fmt chunk, byte {riff.fmt.offset}")
    elif isinstance(riff.fmt, Fmt) and not (riff.fmt.channels and riff.fmt.sample_rate):
        yield Finding(detail="The fmt chunk says 0 channels or 0 hertz.", location="fmt chunk")


@rule(RiffFile, "data_missing", spec="ITU-R BS.2088 §6")
def data_missing(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """A master has audio."""
    data = riff.chunk("data")
    if data is None or data.size == 0:
        yield Finding(detail="There is no audio: the data chunk is missing or empty.")


@rule(RiffFile, "fmt_after_data", spec="ITU-R BS.2088 §4")
def fmt_after_data(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """The format comes before what it describes."""
    fmt, data = riff.chunk("fmt "), riff.chunk("data")
    if fmt and data and fmt.offset > data.offset:
        yield Finding(detail="The fmt chunk comes after the audio.", location=f"byte {fmt.offset}")
