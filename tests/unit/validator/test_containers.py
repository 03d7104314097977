"""A valid stream is accepted in each container."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from services.validator.inspection import inspect
from tests.support.media import ac4, mp4, mpeg_ts, truehd
from tests.support.media.eac3 import dependent, joc_frames, joc_mp4, plain_frames

if TYPE_CHECKING:
    from pathlib import Path

    from services.validator.inspection import Report
    from services.validator.profile import Profile

JOC = joc_frames()
TRACK = mp4.Track(frames=JOC, config=mp4.dec3())


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(mp4.fragmented(TRACK, per_fragment=3), id="fragments"),
        pytest.param(
            mp4.fragmented(mp4.Track(frames=JOC, config=mp4.dec3(), per_run=1)), id="several runs"
        ),
        pytest.param(
            mp4.plain(mp4.Track(frames=JOC, config=mp4.dec3(), edits=((12288, 256),))), id="edit"
        ),
        pytest.param(
            joc_mp4(
                tuple(frame + dependent(plain_frames()[0]) for frame in JOC), mp4.dec3(dependents=1)
            ),
            id="dependent substream",
        ),
        *(
            pytest.param(
                mpeg_ts.transport_stream(mpeg_ts.Stream(frames=JOC, kind=kind, stride=stride)),
                id=f"TS {kind[0]:#x} of {stride}",
            )
            for kind in (mpeg_ts.EAC3, mpeg_ts.EAC3_DVB)
            for stride in (188, 192, 204)
        ),
    ],
)
def test_joc_is_accepted_in_each_container(data: bytes, tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master"
    path.write_bytes(data)

    report = inspect(path, atmos, opinions=False)

    assert (report.accepted, report.problems) == (True, ())
    assert report.format.codec == "E-AC-3 JOC"
    assert report.format.duration_seconds == pytest.approx(len(JOC) * 0.032)


def _carried(stream: mpeg_ts.Stream, path: Path, atmos: Profile) -> Report:
    path.write_bytes(mpeg_ts.transport_stream(stream))
    wider = msgspec.structs.replace(atmos, formats=atmos.formats | {"truehd"})
    return inspect(path, wider, opinions=False)


@pytest.mark.parametrize("kind", [mpeg_ts.AC4_DVB, (0x06, b"\x05\x04AC-4")])
def test_ac4_is_accepted_in_a_transport_stream(
    kind: tuple[int, bytes], tmp_path: Path, atmos: Profile
) -> None:
    frames = tuple(ac4.synced(frame) for frame in ac4.raw_frames())
    report = _carried(mpeg_ts.Stream(frames=frames, kind=kind), tmp_path / "master", atmos)
    assert (report.accepted, report.problems) == (True, ())
    assert report.recognised == "AC-4 in MPEG-TS"


@pytest.mark.parametrize("core", [False, True], ids=["alone", "with its AC-3 core"])
def test_truehd_is_accepted_in_a_transport_stream(
    *, core: bool, tmp_path: Path, atmos: Profile
) -> None:
    units = tuple(map(bytes, truehd.units()))
    stream = mpeg_ts.Stream(
        frames=units,
        kind=mpeg_ts.TRUEHD,
        stride=192,
        core=plain_frames(1, codec="ac3")[:1] * len(units) if core else (),
    )
    report = _carried(stream, tmp_path / "master", atmos)
    assert (report.accepted, report.problems) == (True, ())
    assert report.format.codec == "TrueHD Atmos"
