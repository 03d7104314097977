"""The validator's documents say what its rules do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from services.validator.catalogue import codes
from tests.support.docs.codes import EXAMPLE, FOLDER, pages
from tests.support.docs.markdown import cell
from tests.support.docs.masters import report_on, valid
from tests.support.media.broken import all_files

DOCS = Path(__file__).parents[3] / "docs" / "validator"
CODE = re.compile(r"`([a-z0-9]+(?:_[a-z0-9]+)+|clipping)`")
EVERY_TENTH = list(codes())[::10]


@pytest.fixture(scope="module")
def mutations() -> str:
    """The table of broken masters."""
    return (DOCS / "mutations.md").read_text()


def test_every_page_is_up_to_date_but_for_its_example() -> None:
    made = pages(examples={})
    written = {str(path.relative_to(DOCS)): path.read_text() for path in DOCS.rglob("*.md")}
    for name, text in made.items():
        before, _, _ = written[name].partition(EXAMPLE)
        assert text.rstrip() == before.rstrip(), f"{name}: run make docs"
    gone = set(written) - set(made) - {"mutations.md", "coverage.md"}
    assert not gone, "run make docs"


@pytest.mark.parametrize("code", EVERY_TENTH)
def test_an_example_is_up_to_date(code: str) -> None:
    example = next((each for each in all_files() if each.code == code), None)
    made = pages(examples={code: example} if example else {})[f"{FOLDER}/{code}.md"]
    assert (DOCS / FOLDER / f"{code}.md").read_text() == made, "run make docs"


def test_every_code_that_the_coverage_names_exists() -> None:
    named = set(CODE.findall((DOCS / "coverage.md").read_text()))
    assert named
    assert named <= set(codes())


def test_every_broken_file_is_in_the_table(mutations: str) -> None:
    for broken in all_files():
        row = f"| [{broken.code}]({FOLDER}/{broken.code}.md) | {cell(broken.name)} |"
        assert row in mutations, "run make docs-validator"


def test_every_rule_is_in_the_table(mutations: str) -> None:
    told = set(re.findall(r"^\| \[(\w+)\]", mutations, re.MULTILINE))
    # What another tool says is compared in tests of its own.
    assert set(codes()) - told == {"second_opinion_differs"}


@pytest.mark.parametrize("kind", valid())
def test_a_valid_master_is_accepted_in_every_container(kind: str, mutations: str) -> None:
    for master in valid()[kind]:
        assert report_on(master).problems == (), master.name
        assert f"| {cell(master.name)} | accepted |" in mutations
