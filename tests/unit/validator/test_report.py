"""The report: what it tells of a master, that it stays small, and that it fits the contract."""

from __future__ import annotations

import gzip
import json
import random
from array import array
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest
from google.protobuf.json_format import ParseDict, ParseError

from cli.demo.master import Spec, master, write_master
from services.validator import inspection
from services.validator import report as reports
from services.validator.inspection import Report, inspect
from services.validator.programme import MAX_ALL_POINTS, MAX_PARTS, MAX_POINTS, thinned
from services.validator.report import DynamicObject, Point, Programme, gravest_first
from shared.adm.trajectories import Trajectory
from shared.problems import Problem, Severity
from stagedoor.v1.problem_pb2 import Problem as ProblemMessage
from stagedoor.v1.validation_report_service_pb2 import ValidationReport
from tests.support.media.eac3 import joc_mp4
from tests.support.media.others import stereo_wave

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from services.validator.profile import Profile


def message_of(report: Report) -> ValidationReport:
    """Read a report as the contract's message; its severities are spelled as the enum's."""
    document = json.loads(report.to_json())
    for problem in document["problems"]:
        problem["severity"] = f"SEVERITY_{problem['severity'].upper()}"
    return ParseDict(document, ValidationReport())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "master"


def test_the_programme_is_told(path: Path, atmos: Profile) -> None:
    write_master(path, Spec(beds=("5.1",), objects=2, seconds=1.0))
    programme = inspect(path, atmos, opinions=False).programme
    assert programme is not None
    assert (programme.id, programme.name) == ("APR_1001", "Atmos_Master")
    [bed] = programme.beds
    assert [(each.track, each.speaker) for each in bed.channels] == [
        (1, "RC_L"),
        (2, "RC_R"),
        (3, "RC_C"),
        (4, "RC_LFE"),
        (5, "RC_Ls"),
        (6, "RC_Rs"),
    ]
    assert bed.channels[0].name == "RoomCentricLeft"
    first, second = programme.objects
    assert (first.track, first.name, first.blocks) == (7, "Atmos_Obj_1", 4)
    assert second.track == 8
    assert [point.seconds for point in first.path] == [0.0, 0.25, 0.5, 0.75]


def test_a_tree_that_is_cut_is_told_as_far_as_it_goes(path: Path, atmos: Profile) -> None:
    wave = master(Spec(objects=1, seconds=0.5))
    wave.with_chunk("chna", None).write(path)
    programme = inspect(path, atmos, opinions=False).programme
    assert programme is not None
    assert [bed.channels for bed in programme.beds] == [()]
    assert [(each.track, each.path) for each in programme.objects] == [(0, ())]


def test_no_more_parts_are_told_than_a_master_has(path: Path, atmos: Profile) -> None:
    wave = master(Spec(objects=1, seconds=0.1))
    axml = wave.chunks["axml"]
    start = axml.rindex(b"<audioObject ")
    end = axml.index(b"</audioObject>", start) + len(b"</audioObject>")
    many = axml[:end] + axml[start:end] * 300 + axml[end:]
    wave.with_chunk("axml", many).write(path)
    programme = inspect(path, atmos, opinions=False).programme
    assert programme is not None
    assert len(programme.objects) == MAX_PARTS


def test_what_was_measured_is_told(path: Path, atmos: Profile) -> None:
    write_master(path, Spec(objects=1, seconds=1.0))
    audio = inspect(path, atmos, opinions=False).audio
    assert audio is not None
    assert "5.1 render" in audio.method
    assert (audio.loudness_margin_lu, audio.true_peak_margin_db) == (1.0, 1.0)
    assert (audio.frames, audio.sample_rate, len(audio.tracks)) == (48_000, 48_000, 11)
    assert audio.tracks[0].peak_dbfs == pytest.approx(-30.46, abs=0.1)
    assert audio.moments
    assert inspect(path, atmos, opinions=False, audio=False).audio is None


def test_what_others_say_is_told(path: Path, atmos: Profile) -> None:
    path.write_bytes(joc_mp4())
    report = inspect(path, atmos)
    assert [each.tool.split()[0] for each in report.opinions] == ["FFmpeg", "MediaInfo"]
    assert report.opinions[0].decoded == 8
    assert report.programme is None


def test_each_step_is_told(path: Path, atmos: Profile) -> None:
    write_master(path, Spec(objects=1, seconds=2.5))
    steps: list[tuple[str, int, int]] = []
    inspect(path, atmos, on_progress=lambda *step: steps.append(step))
    assert list(dict.fromkeys(name for name, _, _ in steps)) == [
        "structure",
        "audio",
        "md5",
        "opinions",
    ]
    size = path.stat().st_size
    assert ("audio", 120_000, 120_000) in steps
    assert ("md5", size, size) in steps
    assert steps[-1] == ("opinions", 2, 2)


def _wave(path: Path) -> None:
    write_master(path, Spec(objects=3, seconds=1.0))


def _no_master(path: Path) -> None:
    path.write_bytes(stereo_wave())


def _hostile_rate(path: Path) -> None:
    wave = bytearray(stereo_wave())
    wave[24:28] = b"\xff\xff\xff\xff"
    path.write_bytes(bytes(wave))


def _codec(path: Path) -> None:
    path.write_bytes(joc_mp4())


def _empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("write", [_wave, _no_master, _hostile_rate, _codec, _empty])
def test_the_contract_takes_every_field(
    write: Callable[[Path], None], path: Path, atmos: Profile
) -> None:
    write(path)
    report = inspect(path, atmos)
    message = message_of(report)
    assert message.accepted is report.accepted
    assert [each.code for each in message.problems] == [each.code for each in report.problems]
    assert {each.severity for each in message.problems} <= {
        ProblemMessage.SEVERITY_ERROR,
        ProblemMessage.SEVERITY_WARNING,
        ProblemMessage.SEVERITY_INFO,
    }
    assert message.HasField("programme") is (report.programme is not None)
    assert message.HasField("audio") is (report.audio is not None)
    assert (message.md5, message.size_bytes) == (report.md5, report.size_bytes)
    assert message.validator == report.validator != ""


def test_the_contract_knows_identical_tracks_and_silence(path: Path, atmos: Profile) -> None:
    wave = master(Spec(objects=2, seconds=1.0))
    frame = len(wave.block) // 4800
    silent_twins = b"".join(
        bytes(3 * 10) + wave.block[at + 30 : at + 33] * 2 for at in range(0, len(wave.block), frame)
    )
    replace(wave, block=silent_twins).write(path)
    message = message_of(inspect(path, atmos, opinions=False))
    assert [(each.first, each.second) for each in message.audio.identical] == [(11, 12)]
    assert not message.audio.tracks[0].HasField("peak_dbfs")
    assert message.audio.tracks[10].HasField("peak_dbfs")


def test_the_contract_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ParseError):
        ParseDict({"more": 1}, ValidationReport())


def test_a_report_that_is_too_long_is_none() -> None:
    with pytest.raises(msgspec.DecodeError, match="more than"):
        Report.from_json(b" " * (reports.MAX_JSON_BYTES + 1))


def test_a_report_that_is_no_utf_8_is_none() -> None:
    with pytest.raises(msgspec.DecodeError, match="codec"):
        Report.from_json(b'{"validator":"\xff"}')


def wandering(blocks: int, seed: int = 1) -> Trajectory:
    """A path that jumps about as no mixer's does: it packs as badly as one can."""
    source = random.Random(seed)
    places = [array("d", (source.uniform(-1, 1) for _ in range(blocks))) for _ in range(3)]
    path = Trajectory("AC_00031001", array("d", (index * 0.1 for index in range(blocks))))
    path.x, path.y, path.z = places
    return path


def test_a_short_path_is_whole() -> None:
    path = wandering(5)
    assert thinned(path, 5) == tuple(
        Point(round(seconds, 2), round(x, 3), round(y, 3), round(z, 3))
        for seconds, x, y, z in zip(path.start, path.x, path.y, path.z, strict=True)
    )


def test_a_long_path_keeps_its_ends_and_its_corners() -> None:
    path = wandering(10_000)
    path.x = array("d", [0.0] * 10_000)
    path.y = array("d", [0.0] * 10_000)
    path.z = array("d", [index / 1e6 for index in range(10_000)])
    path.x[5_000] = 1.0
    points = thinned(path, MAX_POINTS)
    assert len(points) == MAX_POINTS
    assert (points[0].seconds, points[-1].seconds) == (0.0, 999.9)
    assert 500.0 in {point.seconds for point in points if point.x == 1.0}
    assert [point.seconds for point in points] == sorted(point.seconds for point in points)


def test_an_object_that_stays_is_one_point() -> None:
    path = wandering(1_000)
    for column in (path.x, path.y, path.z):
        column[:] = array("d", [0.5] * 1_000)
    assert thinned(path, MAX_POINTS) == (Point(0.0, 0.5, 0.5, 0.5),)


def test_a_path_outside_of_the_room_stays_in_the_picture() -> None:
    path = wandering(1)
    path.x[0], path.y[0] = 1e300, -5.0
    [point] = thinned(path, MAX_POINTS)
    assert (point.x, point.y) == (1.0, -1.0)


def test_the_most_objects_with_the_most_blocks_fit(path: Path, atmos: Profile) -> None:
    write_master(path, Spec(objects=118, seconds=1.0))
    report = inspect(path, atmos, opinions=False)
    assert report.programme is not None
    share = MAX_ALL_POINTS // 118
    objects = tuple(
        msgspec.structs.replace(each, path=thinned(wandering(2_034, index), share))
        for index, each in enumerate(report.programme.objects)
    )
    full = with_objects(report, objects)
    packed = full.to_gzip()
    assert len(packed) <= reports.MAX_PACKED_BYTES
    assert Report.from_json(gzip.decompress(packed)) == full


def with_objects(report: Report, objects: tuple[DynamicObject, ...]) -> Report:
    assert report.programme is not None
    programme: Programme = msgspec.structs.replace(report.programme, objects=objects)
    return msgspec.structs.replace(report, programme=programme)


def test_what_does_not_fit_goes_least_needed_first(path: Path, atmos: Profile) -> None:
    write_master(path, Spec(objects=20, seconds=0.5))
    report = inspect(path, atmos, opinions=False)
    assert report.programme is not None
    objects = tuple(
        msgspec.structs.replace(each, path=thinned(wandering(5_000, index), 4_000))
        for index, each in enumerate(report.programme.objects)
    )
    packed = with_objects(report, objects).to_gzip()
    assert Report.from_json(gzip.decompress(packed)) == report.without_paths()

    source = random.Random(1)
    noise = ["".join(chr(source.randrange(0x4E00, 0x9FFF)) for _ in range(300)) for _ in range(400)]
    warnings = [Problem(code="c", severity=Severity.WARNING, detail=each) for each in noise]
    error = Problem(code="e", severity=Severity.ERROR, detail="d")
    noisy = msgspec.structs.replace(report, problems=(*warnings, error))
    packed = noisy.to_gzip()
    kept = Report.from_json(gzip.decompress(packed))
    assert len(packed) <= reports.MAX_PACKED_BYTES
    assert kept.problems[0] == error
    assert (kept.programme, kept.audio, len(kept.problems)) == (None, None, 50)


def test_a_report_without_a_programme_has_no_paths_to_lose(path: Path, atmos: Profile) -> None:
    path.write_bytes(stereo_wave())
    report = inspect(path, atmos, opinions=False)
    assert report.programme is None
    assert report.without_paths() == report


def test_packing_is_the_same_each_time(path: Path, atmos: Profile) -> None:
    _no_master(path)
    report = inspect(path, atmos, opinions=False)
    assert report.to_gzip() == report.to_gzip()
    assert report.to_gzip()[4:8] == bytes(4)


def test_the_gravest_come_first() -> None:
    found = [Problem(code=each, severity=each, detail="") for each in reversed(Severity)]
    assert [each.severity for each in gravest_first(found)] == list(Severity)


def test_a_report_keeps_the_gravest_of_too_many(
    path: Path, atmos: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    master(Spec(objects=1, seconds=0.5)).with_chunk("dbmd", None).write(path)
    with path.open("ab") as file:
        file.write(b"junk")
    assert len(inspect(path, atmos, opinions=False).problems) == 2
    monkeypatch.setattr(inspection, "MAX_PROBLEMS", 1)
    problems = inspect(path, atmos, opinions=False).problems
    assert [each.code for each in problems] == ["dbmd_missing"]
