"""Broken TrueHD files: each valid but for one thing, with the one code that must be found."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tests.support.media.broken import Broken, raw
from tests.support.media.mp4 import box
from tests.support.media.truehd import Spec, checked, dmlp, mp4_file, raw_file, units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.media.truehd import Unit

_START = Spec()


def files() -> list[Broken]:
    """Return every broken TrueHD file."""
    return [*_boxes(), *_structures(), *_checksums(), *_contents()]


def _boxes() -> Iterator[Broken]:
    yield raw("dmlp_missing", "no dmlp", lambda: mp4_file(config=b""))
    yield raw("dmlp_malformed", "cut", lambda: mp4_file(config=box("dmlp", dmlp()[8:14])))
    rate = replace(_START, peak_data_rate=2000)
    yield raw("truehd_dmlp_differs", "peak rate", lambda: mp4_file(config=dmlp(rate)))
    other = replace(_START, rate_code=1)
    yield raw("truehd_dmlp_differs", "format", lambda: mp4_file(config=dmlp(other)))


def _structures() -> Iterator[Broken]:
    yield raw("truehd_malformed", "junk behind", lambda: raw_file() + bytes(40))
    yield raw("truehd_malformed", "cut", lambda: raw_file()[:-10])
    yield raw(
        "truehd_malformed",
        "no sync at the start",
        lambda: mp4_file(frames=tuple(map(bytes, units()[1:]))),
    )
    for name, change in _sync_changes().items():
        yield raw("truehd_malformed", name, partial(_mp4_resynced, change))
    yield raw("truehd_malformed", "no restart header", lambda: _mp4_with_first(_no_restart()))
    yield raw("truehd_malformed", "restart flag", lambda: _mp4_with_first(_no_restart_flag()))
    yield raw("truehd_malformed", "directory cut", lambda: _mp4_with_first(bytes(units()[0])[:37]))
    yield raw("truehd_malformed", "segment too long", lambda: _mp4_with_first(_shortened()))


def _sync_changes() -> dict[str, Callable[[bytearray], None]]:
    def signature(sync: bytearray) -> None:
        sync[8] ^= 1

    def rate(sync: bytearray) -> None:
        sync[4] = 0x70

    def substreams(sync: bytearray) -> None:
        sync[16] = 0x50

    return {"signature": signature, "rate": rate, "substreams": substreams}


def _checksums() -> Iterator[Broken]:
    code = "truehd_checksum_wrong"
    yield raw(code, "nibble", lambda: _flipped(20, 2, 0x01))
    yield raw(code, "major sync", partial(_mp4_resynced, _reserved))
    yield raw(code, "restart header", lambda: _mp4_with_first(_bad_restart()))
    yield raw(code, "sound", lambda: _flipped(20, 30, 0x10))
    yield raw(code, "sound of the last unit", lambda: _flipped(39, 30, 0x10))
    yield raw(code, "parity byte", lambda: _flipped(20, -2, 0x01))
    yield raw(code, "every parity byte", _all_parities)


def _contents() -> Iterator[Broken]:
    more = replace(_START, units=16, rate_code=1)
    yield raw("truehd_parameters_change", "rate", lambda: raw_file() + raw_file(more))
    three = replace(_START, substreams=3)
    yield raw("truehd_substream_missing", "three", lambda: raw_file(three))
    undescribed = replace(_START, described=False)
    yield raw("truehd_objects_undescribed", "flag only", lambda: raw_file(undescribed))
    many = replace(_START, objects_only=False, dynamic=20)
    yield raw("truehd_objects_inconsistent", "20 of 16", lambda: raw_file(many))
    rare = replace(_START, units=129, sync_every=200)
    yield raw("truehd_sync_rare", "129 units", lambda: raw_file(rare))
    plain = replace(_START, atmos=False, substreams=3)
    yield raw("no_atmos", "TrueHD 7.1, raw", lambda: raw_file(plain))
    yield raw("no_atmos", "TrueHD 7.1, MP4", lambda: mp4_file(plain))


def _mp4_with_first(first: bytes) -> bytes:
    return mp4_file(frames=(first, *map(bytes, units()[1:])))


def _mp4_resynced(change: Callable[[bytearray], None]) -> bytes:
    first = units()[0]
    sync = bytearray(first.sync)
    change(sync)
    return _mp4_with_first(bytes(replace(first, sync=bytes(sync))))


def _reserved(sync: bytearray) -> None:
    sync[12] ^= 1


def _with_segment(number: int, segment: bytes) -> Unit:
    segments = list(units()[0].segments)
    segments[number] = segment
    return replace(units()[0], segments=tuple(segments))


def _no_restart() -> bytes:
    return bytes(_with_segment(1, checked(bytes(40))))


def _no_restart_flag() -> bytes:
    """Return the first unit, which says of no substream that it has a restart header."""
    whole = replace(units()[0], sync=b"")
    directory = bytes(whole)[4:12]
    first = bytes(units()[0])
    at = 4 + len(units()[0].sync)
    return first[:at] + directory + first[at + 8 :]


def _bad_restart() -> bytes:
    data = bytearray(units()[0].segments[0][:-2])
    data[8] ^= 1
    return bytes(_with_segment(0, checked(bytes(data))))


def _shortened() -> bytes:
    first = bytes(units()[0])
    return first[:-4]


def _flipped(unit: int, index: int, mask: int) -> bytes:
    parts = [bytearray(bytes(each)) for each in units()]
    parts[unit][index] ^= mask
    return b"".join(parts)


def _all_parities() -> bytes:
    """Return a stream whose encoder got all parity bytes wrong in the same way."""

    def wrong(segment: bytes) -> bytes:
        return segment[:-2] + bytes([segment[-2] ^ 0xFF, segment[-1]])

    return b"".join(
        bytes(replace(each, segments=tuple(map(wrong, each.segments)))) for each in units()
    )
