"""The page of promises is made of tests that exist, and the mutants fit the code as it is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.promises import page
from tests.promises.catalogue import PROMISES, ROOT, Mutant, StaleMutant, load

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "promises.md"
ALL = [(promise.number, mutant) for promise in load() for mutant in promise.mutants]


def test_every_promise_has_two_mutants_at_least() -> None:
    promises = load()
    assert {promise.number for promise in promises} == set(PROMISES)
    assert [promise.number for promise in promises if len(promise.mutants) < 2] == []


@pytest.mark.parametrize(
    ("number", "mutant"), ALL, ids=lambda each: getattr(each, "mechanism", each)
)
def test_a_mutant_fits_the_code(number: str, mutant: Mutant) -> None:
    assert number in PROMISES
    text = (ROOT / mutant.path).read_text()
    assert mutant.mutated(text) != text
    file, _, name = mutant.test.partition("::")
    assert not name or re.split(r"::|\[", name)[0] in page.tests_in(ROOT / file)


def test_a_text_that_is_there_twice_or_not_at_all_is_stale() -> None:
    mutant = Mutant(mechanism="m", path="p", old="a", new="b", test="t", without="w")
    assert mutant.mutated("cat") == "cbt"
    for text in ("dog", "banana"):
        with pytest.raises(StaleMutant):
            mutant.mutated(text)


def test_the_faults_are_numbered() -> None:
    assert list(page.faults()) == [f"F{number:02}" for number in range(1, 43)]


def test_every_fault_has_a_test() -> None:
    assert page.fault_tests(page.FAULTS).keys() == page.faults().keys()


def test_the_page_is_made_from_the_registry() -> None:
    assert PAGE.read_text() == page.text(), "run: make docs"


def test_tests_are_found_by_their_number(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "faults"
    folder.mkdir(parents=True)
    (folder / "test_x.py").write_text("async def test_f04_a(): ...\ndef test_no(): ...\n")
    assert page.fault_tests(folder) == {"F04": ["tests/faults/test_x.py::test_f04_a"]}
