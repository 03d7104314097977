"""The wave container: sizes, chunks and their order. Nothing else is judged when it is broken."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from services.validator.rules.registry import Finding, rule
from shared.adm.riff import MAX_CHUNKS, Fmt, RiffFile
from shared.adm.source import FormatError
from shared.problems import Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.validator.profile import Profile

_UNIQUE = ("ds64", "fmt ", "data", "axml", "chna", "dbmd")
_PAD = 1
_CHUNKS = "ITU-R BS.2088 §4"
_DS64 = "EBU Tech 3306 §3.3; ITU-R BS.2088"
_AGAIN = "Export the master again: its container is damaged."


@rule(
    RiffFile,
    "file_truncated",
    spec="EBU Tech 3306 §3; ITU-R BS.2088 §4",
    fix="Upload or export the master again: the end of the file is missing.",
)
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


@rule(
    RiffFile,
    "size_undeclared",
    spec="EBU Tech 3306 §3.3",
    fix="Let the export finish, or write the real sizes into a ds64 chunk.",
)
def size_undeclared(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """A size of 0xFFFFFFFF needs a ds64 chunk that knows the real one."""
    if isinstance(riff.wide, FormatError):
        return
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


@rule(RiffFile, "ds64_malformed", spec=_DS64, fix=_AGAIN)
def ds64_malformed(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """The chunk of 64-bit sizes has at least 28 bytes, and room for the table that it counts."""
    if isinstance(riff.wide, FormatError):
        yield Finding(detail=f"{riff.wide.detail}.", location=f"byte {riff.wide.offset}")


@rule(
    RiffFile,
    "ds64_missing",
    severity=Severity.WARNING,
    spec=_DS64,
    fix="Write a ds64 chunk, or name the form RIFF.",
)
def ds64_missing(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """A file that calls itself RF64 or BW64 has a ds64 chunk, even if 32 bits hold its sizes."""
    sizes_known = riff.declared_end is not None and all(each.declared for each in riff.chunks)
    if riff.form != "RIFF" and sizes_known and not riff.chunk("ds64"):
        yield Finding(
            detail=f"The form is {riff.form}, but there is no ds64 chunk.",
            location="byte 12",
            measured=riff.chunks[0].name if riff.chunks else "nothing",
            allowed="ds64",
        )


@rule(
    RiffFile,
    "ds64_size_differs",
    severity=Severity.WARNING,
    spec=_DS64,
    fix="Let the ds64 chunk and the head of the data chunk state one size.",
)
def ds64_size_differs(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """A 32-bit size that is stated holds, but one in ds64 should not contradict it."""
    data = riff.chunk("data")
    wide = {} if isinstance(riff.wide, FormatError) else riff.wide
    if data and wide.get(b"data") not in (None, 0, data.size):
        yield Finding(
            detail="ds64 and the data chunk state different sizes of the audio.",
            location=f"data chunk, byte {data.offset}",
            measured=f"{wide[b'data']} bytes in ds64",
            allowed=f"{data.size} bytes",
        )


@rule(RiffFile, "riff_size_wrong", spec=_CHUNKS, fix=_AGAIN)
def riff_size_wrong(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """The header's size ends in the middle of a chunk."""
    if riff.declared_end is not None and riff.declared_end < _last_end(riff) <= riff.file_size:
        yield Finding(
            detail="The header's size ends inside a chunk.",
            location=f"{riff.chunks[-1].name} chunk",
            measured=riff.declared_end - 8,
            allowed=riff.file_size - 8,
        )


def _last_end(riff: RiffFile) -> int:
    return riff.chunks[-1].end if riff.chunks else 0


@rule(
    RiffFile,
    "trailing_bytes",
    severity=Severity.WARNING,
    spec=_CHUNKS,
    fix="Cut off what follows the last chunk, and let the header state the rest.",
)
def trailing_bytes(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """Bytes after the last chunk, or after the end that the header declares, belong to nothing."""
    inside = riff.declared_end is None or _last_end(riff) <= riff.declared_end
    extra = riff.file_size - riff.walked_end
    if inside and extra > _PAD and len(riff.chunks) < MAX_CHUNKS:
        yield Finding(
            detail="There are bytes after the last chunk that belong to nothing.",
            location=f"byte {riff.walked_end}",
            measured=f"{extra} bytes",
            allowed="0 bytes",
        )


@rule(RiffFile, "too_many_chunks", spec=_CHUNKS, fix="Keep the chunks that a master needs.")
def too_many_chunks(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """A file of thousands of chunks is no master, and is not read to its end."""
    if len(riff.chunks) >= MAX_CHUNKS:
        yield Finding(
            detail="The file has more chunks than any real master.",
            location=f"byte {riff.walked_end}",
            measured=f"{len(riff.chunks)} or more",
            allowed=f"fewer than {MAX_CHUNKS}",
        )


@rule(
    RiffFile,
    "pad_byte_missing",
    spec=_CHUNKS,
    fix="Write a zero byte after each chunk of an odd size, not counted in its size.",
)
def pad_byte_missing(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """A chunk starts at an even byte; without the pad byte readers miss all that follows."""
    for chunk in riff.chunks:
        if not chunk.padded:
            yield Finding(
                detail=f"No pad byte follows the odd {chunk.name!r} chunk.",
                location=f"byte {chunk.end}",
                measured="no byte",
                allowed="one zero byte",
            )


@rule(
    RiffFile,
    "ds64_not_first",
    spec=_DS64,
    fix="Put the ds64 chunk right after WAVE.",
)
def ds64_not_first(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """The 64-bit sizes must be known before the first chunk that needs them."""
    wide = riff.chunk("ds64")
    if wide and wide is not riff.chunks[0]:
        yield Finding(detail="The ds64 chunk is not the first one.", location=f"byte {wide.offset}")


@rule(RiffFile, "chunk_duplicated", spec=_CHUNKS, fix="Keep one chunk of each kind.")
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


@rule(RiffFile, "fmt_missing", spec="ITU-R BS.2088 §5", fix=_AGAIN)
def fmt_missing(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """Without its format the audio cannot be read."""
    if riff.fmt is None:
        yield Finding(detail="There is no fmt chunk.", location="fmt chunk")


@rule(RiffFile, "fmt_malformed", spec="ITU-R BS.2088 §5", fix=_AGAIN)
def fmt_malformed(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """The fmt chunk must have its sixteen bytes, and at least one channel."""
    if isinstance(riff.fmt, FormatError):
        yield Finding(detail=f"{riff.fmt.detail}.", location=f"fmt chunk, byte {riff.fmt.offset}")
    elif isinstance(riff.fmt, Fmt) and not (riff.fmt.channels and riff.fmt.sample_rate):
        yield Finding(detail="The fmt chunk says 0 channels or 0 hertz.", location="fmt chunk")


@rule(
    RiffFile,
    "data_missing",
    spec="ITU-R BS.2088 §6",
    fix="Export the master again, with its audio.",
)
def data_missing(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """A master has audio."""
    data = riff.chunk("data")
    if data is None or data.size == 0:
        yield Finding(detail="There is no audio: the data chunk is missing or empty.")


@rule(RiffFile, "fmt_after_data", spec=_CHUNKS, fix="Write the fmt chunk before the data chunk.")
def fmt_after_data(riff: RiffFile, _: Profile) -> Iterator[Finding]:
    """The format comes before what it describes."""
    fmt, data = riff.chunk("fmt "), riff.chunk("data")
    if fmt and data and fmt.offset > data.offset:
        yield Finding(detail="The fmt chunk comes after the audio.", location=f"byte {fmt.offset}")
