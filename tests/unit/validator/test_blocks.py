"""Blocks and times: each rule has a master that breaks it, and some that do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.demo.master import Spec, Wave, master
from services.validator.inspection import inspect
from services.validator.rules import timing
from services.validator.rules.registry import MAX_FINDINGS, RULES
from shared.adm.blocks import Block, Form
from tests.support.media.broken_blocks import SPEC, files

if TYPE_CHECKING:
    from pathlib import Path

    from services.validator.inspection import Report
    from services.validator.profile import Profile

BROKEN = files()
_JUMP = '<jumpPosition interpolationLength="0.005208">1</jumpPosition>'
_ZONE = (
    '<zoneExclusion><zone minX="-1.00000" maxX="1" minY="-1" maxY="1" minZ="-1"'
    ' maxZ="-0.4995">ZB</zone></zoneExclusion>'
)
_OURS = ("blocks", "blocks_values", "blocks_zones", "blocks_order", "timing", "axml_encoding")


def inspect_wave(wave: Wave, path: Path, profile: Profile) -> Report:
    wave.write(path)
    return inspect(path, profile, opinions=False, md5="0")


def test_every_rule_has_a_master_that_breaks_it_and_says_how_to_mend_it() -> None:
    ours = [rule for rule in RULES if rule.check.__module__.rpartition(".")[2] in _OURS]
    assert {rule.subject for rule in ours} >= {Block, Form}
    assert {rule.code for rule in ours} == {broken.code for broken in BROKEN}
    assert all(rule.fix and rule.spec and rule.check.__doc__ for rule in ours)


@pytest.mark.parametrize(
    "child",
    [
        "<gain>0.5</gain>",
        '<gain gainUnit="dB">-6.0</gain>',
        "<importance>0</importance><gain>0</gain>",
        "<importance>10</importance>",
        "<width>0.5</width><height>0.5</height><depth>0.5</depth>",
        "<diffuse>1.0</diffuse><channelLock>0</channelLock>",
        _ZONE,
    ],
)
def test_what_the_profile_allows_is_accepted(child: str, tmp_path: Path, atmos: Profile) -> None:
    wave = master(SPEC)
    axml = wave.chunks["axml"].decode().replace(_JUMP, child + _JUMP)
    wave = wave.with_chunk("axml", axml.encode())

    assert inspect_wave(wave, tmp_path / "master.wav", atmos).problems == ()


@pytest.mark.parametrize("decibels", ["6.1", "1e5", "1e999"])
def test_a_gain_past_all_numbers_amplifies(decibels: str, tmp_path: Path, atmos: Profile) -> None:
    wave = master(SPEC)
    gain = f'<gain gainUnit="dB">{decibels}</gain>{_JUMP}'
    axml = wave.chunks["axml"].decode().replace(_JUMP, gain).encode()

    problems = inspect_wave(wave.with_chunk("axml", axml), tmp_path / "master.wav", atmos).problems

    assert "gain_above_unity" in {problem.code for problem in problems}


@pytest.mark.parametrize("rate", [48_000, 96_000])
@pytest.mark.parametrize("seconds", [0.01, 0.1, 1.23457])
def test_times_are_rounded(rate: int, seconds: float, tmp_path: Path, atmos: Profile) -> None:
    wave = master(Spec(objects=1, seconds=seconds, rate=rate))

    assert inspect_wave(wave, tmp_path / "master.wav", atmos).problems == ()


def test_ends_are_compared_a_bounded_number_of_times(
    tmp_path: Path, atmos: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "master.wav"
    next(each for each in BROKEN if each.code == "blocks_end_wrong").write(path)
    monkeypatch.setattr(timing, "_MAX_PAIRS", 0)

    assert inspect(path, atmos, opinions=False, md5="0").problems == ()


def test_findings_are_bounded_and_the_last_one_says_so(tmp_path: Path, atmos: Profile) -> None:
    wave = master(Spec(objects=12, seconds=0.5))
    axml = wave.chunks["axml"].replace(b">1</jumpPosition>", b">0</jumpPosition>")
    axml = axml.replace(b'coordinate="X">', b'coordinate="X">9')

    report = inspect_wave(wave.with_chunk("axml", axml), tmp_path / "master.wav", atmos)

    for code in ("jump_position_wrong", "position_out_of_range"):
        problems = [problem for problem in report.problems if problem.code == code]
        assert len(problems) == MAX_FINDINGS
        assert ["More of the same kind" in each.detail for each in problems].index(True) == 9
        assert len({problem.location for problem in problems}) == MAX_FINDINGS
