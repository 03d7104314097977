"""What is said of a broken file, and of the valid ones beside it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cli.demo.layout import BEDS
from cli.demo.master import master
from services.validator.inspection import Report, inspect
from services.validator.profile import load_profile
from tests.support.media import ac4, mp4, mpeg_ts, truehd
from tests.support.media.broken import SMALL, Broken, raw
from tests.support.media.eac3 import joc_frames, joc_mp4

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ATMOS = load_profile("atmos")


def stored(broken: Broken, folder: Path) -> Path:
    """Write a file, under the name that its kind has outside."""
    path = folder / "master"
    broken.write(path)
    return path


def report_on(broken: Broken) -> Report:
    """Inspect a file, no other tool asked."""
    with tempfile.TemporaryDirectory() as folder:
        path = stored(broken, Path(folder))
        return inspect(
            path,
            ATMOS,
            master_type=broken.master_type,
            opinions=False,
            stereo_seconds=broken.stereo_seconds,
        )


def valid() -> dict[str, list[Broken]]:
    """Return a valid file in every container variant, by format."""
    return {"ADM BWF": list(_waves()), "coded": list(_coded())}


def _waves() -> Iterator[Broken]:
    for form in ("RIFF", "RF64", "BW64"):
        for room in (28, 64):
            for early in ((), ("axml",), ("dbmd", "chna", "axml")):
                first = f"{', '.join(early)} before the audio" if early else "chunks after it"
                spec = replace(SMALL, form=form, room=room, early=early)
                yield _whole(f"{form}, room of {room} bytes, {first}", master(spec).write)
    for bed in BEDS:
        yield _whole(f"bed {bed}", master(replace(SMALL, beds=(bed,))).write)
    yield _whole("96 kHz", master(replace(SMALL, rate=96_000)).write)
    yield _whole("objects only", master(replace(SMALL, beds=())).write)
    yield _whole("two beds", master(replace(SMALL, beds=("2.0", "5.1"))).write)


def _coded() -> Iterator[Broken]:
    ts, units = mpeg_ts.transport_stream, tuple(map(bytes, truehd.units()))
    frames = joc_frames()
    files = {
        "E-AC-3 JOC, raw": b"".join(frames),
        "E-AC-3 JOC in MP4": joc_mp4(),
        "E-AC-3 JOC in fragmented MP4": mp4.fragmented(mp4.Track(frames=frames, config=mp4.dec3())),
        "E-AC-3 JOC in MPEG-TS": ts(mpeg_ts.Stream(frames=frames)),
        "E-AC-3 JOC in MPEG-TS (DVB)": ts(mpeg_ts.Stream(frames=frames, kind=mpeg_ts.EAC3_DVB)),
        "AC-4, raw": ac4.raw_file(),
        "AC-4 without checksums, raw": ac4.raw_file(crc=False),
        "AC-4 in MP4": ac4.mp4_file(),
        "AC-4 in MPEG-TS": ts(mpeg_ts.Stream(frames=(ac4.raw_file(),), kind=mpeg_ts.AC4_DVB)),
        "TrueHD, raw": truehd.raw_file(),
        "TrueHD in MP4": truehd.mp4_file(),
        "TrueHD in MPEG-TS": ts(mpeg_ts.Stream(frames=units, kind=mpeg_ts.TRUEHD)),
        "TrueHD in M2TS": ts(mpeg_ts.Stream(frames=units, kind=mpeg_ts.TRUEHD, stride=192)),
    }
    for name, data in files.items():
        yield raw("", name, partial(bytes, data))


def _whole(name: str, write: Callable[[Path], object]) -> Broken:
    return Broken("", name, write)
