"""What an inspection imports: most of the time of a start, so no more than the file needs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cli.demo.master import Spec, master
from tests.support.media import ac4, mpeg_ts, subtitles, truehd, video
from tests.support.media.eac3 import joc_frames, joc_mp4
from tests.support.media.flac import Sound, flac
from tests.support.media.others import stereo_wave

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Judges a file, listening in on what it asks the rules about; then tells what that loaded, and
# which rules about the same subjects were not there.
PROGRAM = """
import json, sys
from pathlib import Path
from services.validator import verdict
from services.validator.formats.recognise import recognise_source
from shared.adm.source import open_source
from services.validator.judging import judge_source
from services.validator.profile import load_profile
from services.validator.rules import load_all
from services.validator.rules.registry import RULES

judged = []
judge = verdict.judge
verdict.judge = lambda subject, profile: judged.append(subject) or judge(subject, profile)
asked = verdict.Asked(master_type=sys.argv[2], audio=False)
with open_source(Path(sys.argv[1])) as source:
    found = judge_source(source, recognise_source(source), load_profile("atmos"), asked)
loaded, there = sorted(sys.modules), {rule.code for rule in RULES}
load_all()
kinds = {type(subject) for subject in judged}
if found.master:
    from shared.adm.blocks import Block, DetailedBlock, Form
    kinds |= {Block, DetailedBlock, Form}
needed = {rule.code for rule in RULES if any(issubclass(kind, rule.subject) for kind in kinds)}
codes = [problem.code for problem in found.problems]
answer = {"loaded": loaded, "needed": sorted(needed), "missing": sorted(needed - there)}
print(json.dumps(answer | {"codes": codes}))
"""
ATMOS = "dolby_atmos"
FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "E-AC-3": (ATMOS, lambda: b"".join(joc_frames())),
    "E-AC-3 in MP4": (ATMOS, joc_mp4),
    "AC-4": (ATMOS, ac4.raw_file),
    "TrueHD": (ATMOS, truehd.raw_file),
    "transport stream": (
        ATMOS,
        lambda: mpeg_ts.transport_stream(mpeg_ts.Stream(frames=joc_frames())),
    ),
    "web page": (ATMOS, lambda: b"<!doctype html><html></html>"),
    "wave without Atmos": (ATMOS, stereo_wave),
    "cd": ("cd", stereo_wave),
    "flac": ("cd", lambda: flac(Sound())),
    "subtitles": ("subtitles", subtitles.WEBVTT.encode),
    "motion art": ("apple_motion_art_desktop", lambda: video.movie(video.Art())),
}
# Beside Python's own, and what the structure of an ADM BWF master is about.
LIBRARIES = {"msgspec", "typing_extensions"}
FORMATS = {"adm_bwf", "dbmd", "dolby_metadata", "kinds", "recognise"}
ADM = {
    *("axml", "block_reader", "block_templates", "blocks", "chna", "model"),
    *("riff", "source", "times", "trajectories"),
}
HEAVY = {"asyncio", "ctypes", "email", "importlib.resources", "logging", "ssl", "subprocess"}


def inspected(path: Path, master_type: str = ATMOS) -> dict[str, list[str]]:
    """Judge a file in a process of its own."""
    command = [sys.executable, "-c", PROGRAM, str(path), master_type]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def test_a_wave_file_loads_what_it_needs_and_no_more(tmp_path: Path) -> None:
    path = tmp_path / "master.wav"
    master(Spec(objects=2, seconds=0.1)).write(path)

    found = inspected(path)

    assert found["codes"] == []
    assert found["missing"] == []
    loaded = set(found["loaded"])
    known = sys.stdlib_module_names | {"services", "shared", "__main__"}
    tops = {name.partition(".")[0] for name in loaded}
    assert {each for each in tops - known if not _is_of_the_installation(each)} <= LIBRARIES
    assert not HEAVY & loaded
    assert _named(loaded, "services.validator.formats.") == FORMATS
    assert _named(loaded, "services.validator.families.") == {"wave"}
    assert _named(loaded, "services.validator.audio.") == {"limits"}
    assert _named(loaded, "shared.adm.") == ADM
    assert _named(loaded, "shared.") == {"adm", *(f"adm.{each}" for each in ADM)} | {
        "problems",
        "profiles",
    }


def _named(loaded: set[str], package: str) -> set[str]:
    return {name.removeprefix(package) for name in loaded if name.startswith(package)}


def _is_of_the_installation(name: str) -> bool:
    """Whether a module is loaded by the virtual environment before any program."""
    return name.startswith(("_", "sitecustomize"))


@pytest.mark.parametrize("name", FILES)
def test_a_family_loads_all_rules_about_its_subjects(name: str, tmp_path: Path) -> None:
    master_type, make = FILES[name]
    path = tmp_path / "master"
    path.write_bytes(make())

    found = inspected(path, master_type)

    assert found["needed"]
    assert found["missing"] == []
