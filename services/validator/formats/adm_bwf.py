"""An ADM BWF master: a wave file with its chna, axml and dbmd chunks read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from services.validator.formats.axml import Adm, read_axml
from services.validator.formats.chna import Chna, read_chna
from services.validator.formats.dbmd import Dbmd, read_dbmd
from services.validator.formats.source import FormatError, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.validator.formats.riff import Chunk, Fmt, RiffFile

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AdmMaster:
    """The parts; each is None when its chunk is missing, a FormatError when it cannot be read."""

    riff: RiffFile
    fmt: Fmt
    chna: Chna | FormatError | None
    adm: Adm | FormatError | None
    dbmd: Dbmd | FormatError | None

    def offset_of(self, name: str) -> str:
        """Say where a chunk's payload is."""
        chunk = self.riff.chunk(name)
        return f"{name} chunk" if chunk is None else f"{name} chunk, byte {chunk.offset}"

    @property
    def bed_channels(self) -> int:
        """How many channels are of a bed."""
        return self._channels("0001")

    @property
    def objects(self) -> int:
        """How many channels are objects."""
        return self._channels("0003")

    def _channels(self, label: str) -> int:
        if not isinstance(self.adm, Adm):
            return 0
        channels = self.adm.of("audioChannelFormat")
        return sum(channel.attributes.get("typeLabel") == label for channel in channels)


def read_adm_master(source: Source, riff: RiffFile, fmt: Fmt) -> AdmMaster:
    """Read the three metadata chunks of a walked file."""
    return AdmMaster(
        riff,
        fmt,
        _read(read_chna, source, riff.chunk("chna")),
        _read(read_axml, source, riff.chunk("axml")),
        _read(read_dbmd, source, riff.chunk("dbmd")),
    )


def _read(
    reader: Callable[[Source, Chunk], T], source: Source, chunk: Chunk | None
) -> T | FormatError | None:
    if chunk is None:
        return None
    try:
        return reader(source, chunk)
    except FormatError as error:
        return error
