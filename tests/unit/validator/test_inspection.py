"""The report, the profile's say, and what an inspection loads."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest
from pydantic import ValidationError
from rich.console import Console

from cli.demo.master import Spec, master, write_master
from services.validator.inspection import (
    Profile,
    Report,
    UnknownProfileError,
    inspect,
    load_profile,
    profile_names,
)
from services.validator.rules.registry import MAX_FINDINGS, RULES
from services.validator.settings import ValidatorSettings
from services.validator.text import render_report
from shared.problems import Severity
from tests.support.media import eac3
from tests.support.media.eac3 import joc_mp4
from tests.support.media.others import stereo_wave

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def ordinary(tmp_path: Path) -> Path:
    path = tmp_path / "ordinary.wav"
    path.write_bytes(stereo_wave())
    return path


def test_a_report_survives_json(ordinary: Path, atmos: Profile) -> None:
    report = inspect(ordinary, atmos)
    assert Report.from_json(report.to_json()) == report
    assert report.md5 == hashlib.md5(ordinary.read_bytes(), usedforsecurity=False).hexdigest()
    assert report.size_bytes == ordinary.stat().st_size


def test_a_file_that_is_not_there_raises(tmp_path: Path, atmos: Profile) -> None:
    with pytest.raises(FileNotFoundError):
        inspect(tmp_path / "nothing", atmos)


def test_importing_loads_nothing_heavy() -> None:
    program = (
        "import sys, services.validator.inspection, services.validator.sandbox;"
        "import services.validator.html.page;"
        "print(sorted({'av', 'numpy', 'pymediainfo', 'grpc', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


@pytest.mark.parametrize("name", profile_names())
def test_each_shipped_profile_names_known_rules(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert set(profile.severities) <= {rule.code for rule in RULES}


def test_an_unknown_profile_is_said_so() -> None:
    with pytest.raises(UnknownProfileError):
        load_profile("../settings")


def test_the_profile_decides_what_is_an_error(tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.wav"
    master(Spec(objects=1, seconds=0.1)).with_chunk("dbmd", None).write(path)
    lenient = msgspec.structs.replace(atmos, severities={"dbmd_missing": Severity.WARNING})

    report = inspect(path, lenient, opinions=False)

    assert report.accepted
    assert [(each.code, each.severity) for each in report.problems] == [
        ("dbmd_missing", Severity.WARNING)
    ]


def test_the_profile_decides_which_formats_are_taken(tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.mp4"
    path.write_bytes(joc_mp4())
    strict = msgspec.structs.replace(atmos, formats=frozenset({"adm_bwf"}))
    report = inspect(path, strict, opinions=False)
    assert [each.code for each in report.problems] == ["format_not_accepted"]
    assert report.problems[0].allowed == "adm_bwf"


def test_warnings_do_not_refuse(tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master.wav"
    write_master(path, Spec(objects=1, seconds=0.1))
    with path.open("ab") as file:
        file.write(b"junk")
    report = inspect(path, atmos, opinions=False)
    assert report.accepted
    assert [(each.code, each.severity) for each in report.problems] == [
        ("trailing_bytes", Severity.WARNING)
    ]


def test_an_extensible_format_is_a_warning(tmp_path: Path, atmos: Profile) -> None:
    wave = master(Spec(objects=1, seconds=0.1))
    subtype = bytes.fromhex("0100000000001000800000aa00389b71")
    tail = b"\x16\0\x18\0\0\0\0\0" + subtype
    path = tmp_path / "master.wav"
    replace(wave, fmt=b"\xfe\xff" + wave.fmt[2:] + tail).write(path)
    report = inspect(path, atmos, opinions=False)
    assert report.accepted
    assert [each.code for each in report.problems] == ["fmt_extensible"]


def test_text_from_the_file_is_bounded_and_printable(tmp_path: Path, atmos: Profile) -> None:
    wave = master(Spec(objects=1, seconds=0.1))
    evil = b'sampleRate="\xe2\x80\xae' + b"x" * 5000 + b'"'
    axml = wave.chunks["axml"].replace(b'sampleRate="48000"', evil, 1)
    path = tmp_path / "master.wav"
    wave.with_chunk("axml", axml).write(path)
    (problem,) = inspect(path, atmos, opinions=False).problems
    assert problem.code == "uid_sample_rate_differs"
    assert problem.measured.isprintable()
    assert len(problem.measured) <= 300


def test_findings_of_one_rule_are_bounded(tmp_path: Path, atmos: Profile) -> None:
    wave = master(Spec(objects=20, seconds=0.1))
    axml = wave.chunks["axml"].replace(b'bitDepth="24"', b'bitDepth="16"')
    path = tmp_path / "master.wav"
    wave.with_chunk("axml", axml).write(path)
    assert len(inspect(path, atmos, opinions=False).problems) == MAX_FINDINGS


def test_a_spoofed_flag_shows_who_believes_it(tmp_path: Path, atmos: Profile) -> None:
    spoof = eac3.Joc(oamd_objects=None, joc_objects=None)
    path = tmp_path / "master.mp4"
    path.write_bytes(joc_mp4(eac3.joc_frames(joc=spoof)))

    report = inspect(path, atmos)

    assert not report.accepted
    told = {each.location: each.detail for each in report.problems if each.severity == "info"}
    assert told == {"MediaInfo": "MediaInfo does not see Atmos here."}


def test_ffmpeg_s_complaint_is_told(tmp_path: Path, atmos: Profile) -> None:
    frames = eac3.joc_frames()
    bad = frames[0][:700] + bytes([frames[0][700] ^ 0x10]) + frames[0][701:]
    path = tmp_path / "master.mp4"
    path.write_bytes(joc_mp4((bad, *frames[1:])))
    lenient = msgspec.structs.replace(atmos, severities={"frame_crc_wrong": Severity.WARNING})
    report = inspect(path, lenient)
    assert report.accepted
    assert "FFmpeg complains: 1 frames do not decode" in {each.detail for each in report.problems}


def test_the_table_says_the_verdict_and_the_reason(ordinary: Path, atmos: Profile) -> None:
    console = Console(width=200, file=io.StringIO())
    console.print(render_report(inspect(ordinary, atmos), "ordinary.wav"))
    text = console.file.getvalue()  # type: ignore[attr-defined] # the StringIO of above
    assert "ordinary.wav: refused (profile atmos)" in text
    assert "no_atmos" in text
    assert "44100 Hz" in text


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ValidatorSettings().delivery_profile == "atmos"
    monkeypatch.setenv("STAGEDOOR_DELIVERY_PROFILE", "umg")
    monkeypatch.setenv("STAGEDOOR_VALIDATOR_WALL_SECONDS", "7.5")
    settings = ValidatorSettings()
    assert (settings.delivery_profile, settings.limits().wall_seconds) == ("umg", 7.5)


@pytest.mark.parametrize(
    "name", ["MEMORY_BYTES", "RESIDENT_BYTES", "CPU_SECONDS", "WALL_SECONDS", "SLOTS"]
)
def test_a_limit_of_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"STAGEDOOR_VALIDATOR_{name}", "0")
    with pytest.raises(ValidationError, match=name.lower()):
        ValidatorSettings()


def test_a_broken_container_is_not_shown_to_other_tools(tmp_path: Path, atmos: Profile) -> None:
    # MediaInfo searches this one for half a minute.
    path = tmp_path / "master.wav"
    write_master(path, Spec(objects=1, seconds=0.1))
    data = path.read_bytes()
    path.write_bytes(data.replace(b"JUNK", b"ABCD", 1).replace(b"chna", b"ds64", 1))
    report = inspect(path, atmos)
    assert [each.code for each in report.problems] == ["ds64_not_first"]
    assert report.opinions == ()


def test_axml_that_is_not_read_is_not_shown_to_other_tools(tmp_path: Path, atmos: Profile) -> None:
    # MediaInfo needs gigabytes, or crashes, on floods that our reader refuses early.
    wave = master(Spec(objects=1, seconds=0.1))
    flood = b"<audioBlockFormat/>" * 30_000 + b"</audioChannelFormat>"
    axml = wave.chunks["axml"].replace(b"</audioChannelFormat>", flood, 1)
    path = tmp_path / "master.wav"
    wave.with_chunk("axml", axml).write(path)
    report = inspect(path, atmos)
    assert "axml_malformed" in [each.code for each in report.problems]
    assert report.opinions == ()
