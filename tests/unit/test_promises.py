"""The page of promises is made of tests that exist, and the mutants fit the code as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.promises import page
from tests.promises.catalogue import PROMISES, ROOT, Mutant, StaleMutant, load

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "promises.md"
UNTESTED = {
    "F01",
    "F02",
    "F03",
    "F13",
    "F14",
    "F15",
    "F16",
    "F17",
    "F18",
    "F19",
    "F20",
    "F21",
    "F22",
    "F23",
    "F24",
    "F25",
    "F26",
    "F27",
    "F28",
    "F29",
    "F30",
    "F31",
    "F32",
    "F33",
    "F34",
    "F35",
    "F36",
    "F38",
    "F39",
    "F40",
}
"""The faults that no test has yet; the page says so of each."""
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
    assert not name or name.partition("::")[0] in page.tests_in(ROOT / file)


def test_a_text_that_is_there_twice_or_not_at_all_is_stale() -> None:
    mutant = Mutant(mechanism="m", path="p", old="a", new="b", test="t", without="w")
    assert mutant.mutated("cat") == "cbt"
    for text in ("dog", "banana"):
        with pytest.raises(StaleMutant):
            mutant.mutated(text)


def test_every_number_of_a_fault_test_is_one_of_a_fault() -> None:
    assert page.fault_tests(page.FAULTS).keys() <= page.faults().keys()
    assert list(page.faults()) == [f"F{number:02}" for number in range(1, 42)]


def test_every_fault_has_a_test() -> None:
    without = page.faults().keys() - page.fault_tests(page.FAULTS).keys()
    assert without <= UNTESTED


def test_the_page_is_made_from_the_registry() -> None:
    assert PAGE.read_text() == page.text(), "run: make docs"


def test_tests_are_found_by_their_number(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "faults"
    folder.mkdir(parents=True)
    (folder / "test_x.py").write_text("async def test_f04_a(): ...\ndef test_no(): ...\n")
    assert page.fault_tests(folder) == {"F04": ["tests/faults/test_x.py::test_f04_a"]}
