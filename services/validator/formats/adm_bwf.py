"""An ADM BWF master: a wave file with its chna, axml and dbmd chunks read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from services.validator.formats.dbmd import Dbmd, read_dbmd
from shared.adm.axml import read_axml
from shared.adm.chna import Chna, read_chna
from shared.adm.model import Adm
from shared.adm.source import FormatError, Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.adm.blocks import Block, Run
    from shared.adm.riff import Chunk, Fmt, RiffFile

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
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
    def frames(self) -> int:
        """How many whole sample frames the audio has."""
        data = self.riff.chunk("data")
        frame = self.fmt.channels * ((self.fmt.bit_depth + 7) // 8)
        return data.size // frame if data and frame else 0

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


def read_adm_master(
    source: Source,
    riff: RiffFile,
    fmt: Fmt,
    on_block: Callable[[Block], object] | None = None,
    on_run: Callable[[Run], bool] | None = None,
) -> AdmMaster:
    """Read the three metadata chunks of a walked file; blocks go as ``read_axml`` says."""

    def read_blocks(source: Source, chunk: Chunk) -> Adm:
        return read_axml(
            source, chunk, sample_rate=fmt.sample_rate, on_block=on_block, on_run=on_run
        )

    return AdmMaster(
        riff,
        fmt,
        _read(read_chna, source, riff.chunk("chna")),
        _read(read_blocks, source, riff.chunk("axml")),
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
