"""Wave files and their dbmd: how far they are walked, and what is read."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from cli.demo.master import Spec, write_master
from services.validator.formats.dbmd import read_dbmd
from services.validator.formats.dolby_metadata import (
    AtmosSegment,
    SupplementalSegment,
    read_dolby_metadata,
)
from shared.adm.riff import MAX_CHUNKS, read_riff
from shared.adm.source import open_source

if TYPE_CHECKING:
    from pathlib import Path


def test_no_more_chunks_are_read_than_any_master_has(tmp_path: Path) -> None:
    path = tmp_path / "many.wav"
    chunks = struct.pack("<4sI", b"ABCD", 0) * (MAX_CHUNKS + 100)
    path.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)

    with open_source(path) as source:
        assert len(read_riff(source).chunks) == MAX_CHUNKS


def test_dbmd_is_read_in_full(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(beds=("2.0",), objects=2, seconds=0.1))

    with open_source(path) as source:
        chunk = read_riff(source).chunk("dbmd")
        assert chunk
        dbmd = read_dbmd(source, chunk)
    metadata = read_dolby_metadata(dbmd)

    assert dbmd.version == (1, 0, 0, 6)
    assert isinstance(metadata.atmos, AtmosSegment)
    assert (metadata.atmos.tool, metadata.atmos.tool_version) == ("Stagedoor demo maker", "1.0.0")
    assert (metadata.atmos.frame_rate, metadata.atmos.warp_mode, metadata.atmos.downmix) == (
        2,
        0,
        0,
    )
    assert not metadata.atmos.first_frame.is_set
    assert isinstance(metadata.supplemental, SupplementalSegment)
    assert metadata.supplemental.binaural_modes == (1, 2, 3, 1)
    assert {trim.automatic for trim in metadata.supplemental.trims} == {False}
