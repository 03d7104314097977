"""docs/facades.md has a test for everything in the published documents, and the tests are there."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.promises import page

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "facades.md").read_text()
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
RULE = "rule"


@dataclass(frozen=True, slots=True)
class Row:
    """Names of one kind in a facade's document, and the tests that show them."""

    facade: str
    kind: str
    names: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]


def rows() -> list[Row]:
    """Those of all tables behind the first, which is about the facades themselves."""
    found = []
    for section in PAGE.split("\n## ")[1:]:
        facade, _, body = section.partition("\n")
        table = re.findall(r"^\| (?!what )([^|-][^|]*) \| (.+) \| (.+) \|$", body, re.MULTILINE)
        for kind, names, tests in table:
            named = (names,) if kind == RULE else tuple(re.findall(r"`([^`]+)`", names))
            found.append(Row(facade, kind, named, tuple(TEST.findall(tests))))
    return found


ROWS = rows()
DOCUMENTED: dict[str, dict[str, list[str]]] = tomllib.loads(
    Path(__file__).with_name("documented_names.toml").read_text()
)


@pytest.mark.parametrize("facade", DOCUMENTED)
def test_everything_documented_is_in_the_table_once(facade: str) -> None:
    shown = Counter((row.kind, name) for row in ROWS if row.facade == facade for name in row.names)
    documented = {(kind, name) for kind, names in DOCUMENTED[facade].items() for name in names}
    assert shown == Counter(documented)


def test_every_facade_has_a_table() -> None:
    assert {row.facade for row in ROWS} == DOCUMENTED.keys()


def test_every_row_names_tests_that_exist() -> None:
    assert [row for row in ROWS if not row.tests] == []
    for file, name in TEST.findall(PAGE):
        assert name in page.tests_in(ROOT / file), f"{file}::{name}"


def word(name: str) -> str:
    """What of a name has to be written where it is tested: the last fixed part of a route."""
    parts: list[str] = re.findall(r"(?:^|[/\[])([^/:\[\]]+)", name)
    return parts[-1]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.facade}: {row.names[0]}")
def test_a_test_knows_the_names_that_it_shows(row: Row) -> None:
    if row.kind != RULE:
        known = "".join((ROOT / file).read_text() for file, _ in row.tests)
        known = known.replace("_", "-") + known
        assert [name for name in row.names if word(name) not in known] == []
