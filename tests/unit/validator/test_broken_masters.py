"""Broken files: each shows its own code and nothing else, and each rule has one that breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.validator.inspection import inspect
from services.validator.rules.opinions import Comparison
from services.validator.rules.registry import RULES
from shared.problems import Severity
from tests.support.media.broken import Broken, all_files
from tests.support.media.others import other_kinds

if TYPE_CHECKING:
    from pathlib import Path

    from services.validator.profile import Profile

BROKEN = all_files()
OTHERS = other_kinds()
SEVERITIES = {rule.code: rule.severity for rule in RULES}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: f"{each.code}: {each.name}")
def test_a_broken_master_has_one_code(broken: Broken, tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master"
    broken.write(path)

    report = inspect(
        path,
        atmos,
        master_type=broken.master_type,
        opinions=False,
        stereo_seconds=broken.stereo_seconds,
    )

    assert {problem.code for problem in report.problems} == {broken.code}
    assert report.accepted == (SEVERITIES[broken.code] is not Severity.ERROR)
    assert all(problem.detail for problem in report.problems)


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_another_kind_is_named(name: str, tmp_path: Path, atmos: Profile) -> None:
    data, code, word = OTHERS[name]
    path = tmp_path / "master.wav"
    path.write_bytes(data)

    report = inspect(path, atmos, opinions=False)

    assert [problem.code for problem in report.problems] == [code]
    assert word in report.problems[0].detail


def test_every_rule_has_a_file_that_breaks_it() -> None:
    # What FFmpeg and MediaInfo say is compared in tests of its own.
    judged = {rule.code for rule in RULES if rule.subject is not Comparison}
    broken = {each.code for each in BROKEN} | {code for _, code, _ in OTHERS.values()}
    assert broken == judged


@pytest.mark.parametrize("code", SEVERITIES)
def test_every_rule_says_what_to_do_and_what_it_means(code: str) -> None:
    for rule in RULES:
        if rule.code == code:
            assert rule.fix
            assert rule.check.__doc__
