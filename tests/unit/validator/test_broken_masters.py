"""One mutation per rule: each is refused with its own code and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import services.validator.rules  # noqa: F401 - registers the rules
from services.validator.inspection import inspect
from services.validator.rules.registry import RULES
from shared.problems import Severity
from tests.support.media.broken import Broken, all_files
from tests.support.media.others import other_kinds

if TYPE_CHECKING:
    from pathlib import Path

    from services.validator.profile import Profile

BROKEN = all_files()
OTHERS = other_kinds()


@pytest.mark.parametrize("broken", BROKEN, ids=lambda each: f"{each.code}: {each.name}")
def test_a_broken_master_has_one_error(broken: Broken, tmp_path: Path, atmos: Profile) -> None:
    path = tmp_path / "master"
    broken.write(path)

    report = inspect(path, atmos, opinions=False)

    assert {problem.code for problem in report.problems} == {broken.code}
    assert not report.accepted
    assert all(problem.detail for problem in report.problems)


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_another_kind_is_named(name: str, tmp_path: Path, atmos: Profile) -> None:
    data, code, word = OTHERS[name]
    path = tmp_path / "master.wav"
    path.write_bytes(data)

    report = inspect(path, atmos, opinions=False)

    assert [problem.code for problem in report.problems] == [code]
    assert word in report.problems[0].detail


def test_every_rule_that_is_an_error_has_a_master_that_breaks_it() -> None:
    broken = {each.code for each in BROKEN} | {code for _, code, _ in OTHERS.values()}
    assert broken == {rule.code for rule in RULES if rule.severity is Severity.ERROR}
