"""ADM BWF masters whose chna or dbmd is wrong."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from cli.demo.master import Spec
from cli.demo.metadata import dbmd, segment
from services.validator.formats.dbmd import MAX_DBMD_BYTES
from shared.adm.chna import MAX_CHNA_BYTES
from tests.support.media.broken import Broken, wave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cli.demo.master import Wave

_ATMOS_AT = 4 + 100
_SUPPLEMENTAL_AT = _ATMOS_AT + 252
_TRIMS_AT = 7
_TRACKS_AT = 142
_NOT_A_NUMBER = struct.pack("<f", float("nan"))


def files() -> list[Broken]:
    """Return every broken file."""
    return [*_chna_files(), *_dbmd_files(), *_values(), *_delivery()]


def _chna_files() -> Iterator[Broken]:
    yield wave("chna_missing", "no chna", _without("chna"))
    yield wave("chna_malformed", "cut", lambda w: w.with_chunk("chna", w.chunks["chna"][:-7]))
    yield wave("chna_malformed", "no head", lambda w: w.with_chunk("chna", b"\x01"))
    yield wave("chna_malformed", "an unused slot counted", _chna(4, b"\0\0"))
    yield wave("chna_malformed", "too few slots", _chna(2, b"\x0d\0"))
    yield wave("chna_malformed", "endless", _endless("chna", MAX_CHNA_BYTES + 40))
    yield wave("chna_track_count", "one more", _chna(0, b"\x0d\0"))
    yield wave("chna_tracks_wrong", "track 1 twice", _chna(44, b"\x01\0"))
    yield wave("chna_tracks_wrong", "track 99", _chna(44, b"\x63\0"))
    yield wave("chna_uids_differ", "unknown UID", _chna(6, b"ATU_000000ff"))
    yield wave("chna_track_format_differs", "AT", _chna(18, b"AT_00011002_01"))
    yield wave("chna_pack_format_differs", "AP", _chna(32, b"AP_00031001"))


def _without(name: str) -> Callable[[Wave], Wave]:
    return lambda wave: wave.with_chunk(name, None)


def _endless(name: str, size: int) -> Callable[[Wave], Wave]:
    return lambda wave: wave.with_chunk(name, wave.chunks[name].ljust(size, b"\0"))


def _chna(offset: int, new: bytes) -> Callable[[Wave], Wave]:
    def change(wave: Wave) -> Wave:
        table = bytearray(wave.chunks["chna"])
        table[offset : offset + len(new)] = new
        return wave.with_chunk("chna", bytes(table))

    return change


def _dbmd_files() -> Iterator[Broken]:
    yield wave("dbmd_missing", "no dbmd", _without("dbmd"))
    yield wave("dbmd_malformed", "no end", _dbmd(lambda d: d[:-2]))
    yield wave("dbmd_malformed", "segment too long", _dbmd(lambda d: d[:5] + b"\xff\xff" + d[7:]))
    yield wave("dbmd_malformed", "endless", _endless("dbmd", MAX_DBMD_BYTES + 2))
    yield wave("dbmd_version_not_known", "1.0.0.8", _dbmd(lambda d: b"\x08" + d[1:]))
    yield wave("dbmd_checksum_wrong", "bit", _dbmd(lambda d: d[:20] + b"\x01" + d[21:]))
    yield wave("dbmd_segment_repeated", "two 9", _dbmd(_second_atmos))
    yield wave("dbmd_atmos_missing", "no 9", _dbmd(lambda d: d[:_ATMOS_AT] + d[_SUPPLEMENTAL_AT:]))
    yield wave("dbmd_atmos_size", "200 bytes", _dbmd(_short_atmos))
    missing = _dbmd(lambda d: d[:_SUPPLEMENTAL_AT] + bytes(2))
    yield wave("dbmd_supplemental_missing", "no 10", missing)
    code = "dbmd_supplemental_malformed"
    yield wave(code, "sync", _supplemental(lambda p: bytes(4) + p[4:]))
    yield wave(code, "size", _supplemental(lambda p: p + b"\0"))
    yield wave(code, "short", _supplemental(lambda p: p[:5]))
    other = dbmd(Spec(objects=3).channels)
    yield wave("dbmd_object_count_differs", "13", lambda w: w.with_chunk("dbmd", other))


def _dbmd(change: Callable[[bytes], bytes]) -> Callable[[Wave], Wave]:
    return lambda wave: wave.with_chunk("dbmd", change(wave.chunks["dbmd"]))


def _second_atmos(data: bytes) -> bytes:
    atmos = data[_ATMOS_AT:_SUPPLEMENTAL_AT]
    return data[:_ATMOS_AT] + atmos + data[_ATMOS_AT:]


def _short_atmos(data: bytes) -> bytes:
    return data[:_ATMOS_AT] + segment(9, bytes(200)) + data[_SUPPLEMENTAL_AT:]


def _atmos(at: int, new: bytes) -> Callable[[Wave], Wave]:
    """Change bytes of the payload of segment 9."""

    def change(data: bytes) -> bytes:
        payload = data[_ATMOS_AT + 3 : _SUPPLEMENTAL_AT - 1]
        changed = segment(9, payload[:at] + new + payload[at + len(new) :])
        return data[:_ATMOS_AT] + changed + data[_SUPPLEMENTAL_AT:]

    return _dbmd(change)


def at_25_frames(wave: Wave) -> Wave:
    """Say 25 frames per second."""
    return _atmos(111, b"\x03")(wave)


def _supplemental(change: Callable[[bytes], bytes]) -> Callable[[Wave], Wave]:
    """Change the payload of segment 10."""

    def replaced(data: bytes) -> bytes:
        payload = change(data[_SUPPLEMENTAL_AT + 3 : -3])
        return data[:_SUPPLEMENTAL_AT] + segment(10, payload) + bytes(2)

    return _dbmd(replaced)


def _modes(*modes: int) -> Callable[[Wave], Wave]:
    """Give the tracks these binaural render modes in turn."""

    def change(payload: bytes) -> bytes:
        count = (len(payload) - _TRACKS_AT) // 2
        given = bytes(modes[index % len(modes)] for index in range(count))
        return payload[: _TRACKS_AT + count] + given

    return _supplemental(change)


def _put(at: int, new: bytes) -> Callable[[Wave], Wave]:
    """Change bytes of the payload of segment 10."""
    return _supplemental(lambda payload: payload[:at] + new + payload[at + len(new) :])


def _values() -> Iterator[Broken]:
    code = "dbmd_value_not_known"
    yield wave(code, "no frame rate", _atmos(111, b"\0"))
    yield wave(code, "frame rate 7", _atmos(111, b"\x07"))
    yield wave(code, "downmix", _atmos(139, b"\x50"))
    yield wave(code, "warp mode", _atmos(152, b"\x05"))
    yield wave("dbmd_value_not_known", "hour 24", _atmos(112, b"\x18"))
    yield wave(code, "trim", _put(_TRIMS_AT + 1, _NOT_A_NUMBER))
    yield wave(code, "trim bypass", _put(_TRACKS_AT, b"\x03"))
    yield wave(code, "binaural mode", _modes(1, 2, 5))


def _delivery() -> Iterator[Broken]:
    yield wave("frame_rate_not_allowed", "25", at_25_frames)
    yield wave("warp_mode_not_allowed", "room balance", _atmos(152, b"\x01"))
    yield wave("warp_mode_not_allowed", "not indicated", _atmos(152, b"\x84"))
    yield wave("ffoa_set", "an hour", _atmos(112, b"\x01"))
    yield wave("binaural_unset", "track 3", _modes(1, 2, 4))
    yield wave("binaural_all_off", "all", _modes(0))
    yield wave("binaural_all_mid", "all", _modes(3))
    yield wave("trims_not_manual", "5.1", _put(_TRIMS_AT + 15, b"\x01"))
