"""What is fuzzed: each target takes any bytes, and ends without an exception."""

from __future__ import annotations

import struct
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cli.demo.master import Spec, master
from services.validator.audio.measure import measure
from services.validator.formats import emdf
from services.validator.inspection import Report, inspect
from services.validator.master_types import MasterType
from services.validator.profile import load_profile
from services.validator.rules.audio import Audio
from services.validator.rules.registry import judge
from shared.adm.routes import BedRoute, ObjectRoute
from shared.adm.source import FormatError, open_source
from shared.adm.trajectories import Trajectory

if TYPE_CHECKING:
    from collections.abc import Callable

    from cli.demo.master import Wave
    from shared.adm.routes import Route

ATMOS = load_profile("atmos")
# Small, so that most of what is changed is a structure.
TINY = Spec(beds=(), objects=1, seconds=0.002)
_NO_MD5 = "0" * 32
_PCM_HEAD = struct.Struct("<BBH")
_BIT_DEPTHS = (16, 24, 32, 8)
_ROUTES: tuple[Route, ...] = (
    BedRoute("RC_L"),
    BedRoute("RC_R"),
    BedRoute("RC_LFE"),
    None,
    ObjectRoute(Trajectory("AC_00031001")),
    BedRoute("RC_Lts", -0.5, 0.5),
)


def report_on(
    data: bytes, *, audio: bool = False, master_type: MasterType = MasterType.DOLBY_ATMOS
) -> Report:
    """Inspect bytes as a file; the report must hold together."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        report = inspect(
            Path(file.name),
            ATMOS,
            master_type=master_type,
            md5=_NO_MD5,
            opinions=False,
            audio=audio,
        )
    assert Report.from_json(report.to_json()) == report
    assert report.accepted or report.problems
    return report


def _file(master_type: MasterType = MasterType.DOLBY_ATMOS) -> Callable[[bytes], None]:
    """Inspect the bytes as a whole file that is declared to be this."""

    def run(data: bytes) -> None:
        report_on(data, master_type=master_type)

    return run


@cache
def _tiny() -> Wave:
    return master(TINY)


def _chunk(name: str, *, audio: bool = False) -> Callable[[bytes], None]:
    """Put the bytes into a valid master as one of its chunks."""

    def run(data: bytes) -> None:
        with tempfile.NamedTemporaryFile() as file:
            path = Path(file.name)
            _tiny().with_chunk(name, data).write(path)
            report_on(path.read_bytes(), audio=audio)

    return run


def _emdf(data: bytes) -> None:
    payloads = emdf.find_payloads(data)
    with suppress(FormatError):
        emdf.parse_oamd(payloads.get(emdf.OAMD, data))
    with suppress(FormatError):
        emdf.parse_joc(payloads.get(emdf.JOC, data))


def _pcm(data: bytes) -> None:
    """Measure samples behind a head that says how they lie, and judge what they sound like."""
    depth, channels, rate = _PCM_HEAD.unpack(data[: _PCM_HEAD.size].ljust(_PCM_HEAD.size, b"\0"))
    routed = depth & 0x80
    routes = [_ROUTES[index % len(_ROUTES)] for index in range(channels)] if routed else None
    with tempfile.NamedTemporaryFile() as file, suppress(FormatError):
        file.write(data)
        file.flush()
        bits = _BIT_DEPTHS[depth % len(_BIT_DEPTHS)]
        with open_source(Path(file.name)) as source:
            measured = measure(source, _PCM_HEAD.size, len(data), channels, bits, 3 * rate, routes)
        judge(Audio(measured, ATMOS.delivery, depth / 100), ATMOS)


def _report(data: bytes) -> None:
    with suppress(msgspec.MsgspecError):
        report = Report.from_json(data)
        assert Report.from_json(report.to_json()) == report


TARGETS: dict[str, Callable[[bytes], None]] = {
    "wave": _file(),
    "axml": _chunk("axml", audio=True),
    "chna": _chunk("chna"),
    "dbmd": _chunk("dbmd"),
    "pcm": _pcm,
    "mp4": _file(),
    "eac3": _file(),
    "emdf": _emdf,
    "ac4": _file(),
    "truehd": _file(),
    "mpeg_ts": _file(),
    "others": _file(),
    "audio_file": _file(MasterType.AUDIO_TRACK),
    "motion_art": _file(MasterType.APPLE_MOTION_ART_MOBILE),
    "subtitles": _file(MasterType.SUBTITLES),
    "report": _report,
}
