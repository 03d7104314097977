"""docs/promises.md, from the registry and from the names of the fault tests."""

from __future__ import annotations

import ast
import re
import tomllib
from typing import TYPE_CHECKING

from tests.promises.catalogue import REGISTRY, ROOT, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.promises.catalogue import Promise

FAULTS = ROOT / "tests" / "faults"
NO_TEST = "*no test yet*"
_NUMBERED = re.compile(r"test_(f[0-9]{2})_")

_HEAD = """\
# Promises

What Stagedoor promises, what makes it so, and what happened when just that was taken out: each row
was tried in a copy of the tree, and its test failed. `make promises` tries those with quick tests
again, `python -m tests.promises all` also those whose tests start the whole product. The registry
is `tests/promises/registry`; this page is made from it by `make docs`.
"""
_FAULTS = """\
## Faults

Each is done to real processes (`make faults`); afterwards the invariants I1 to I10 of
`tests/support/faults/invariants.py` must hold. `make soak` does them at random, under load, by a
seed that it prints and that repeats it.

| | fault | tests |
|---|---|---|
"""


def text() -> str:
    """The whole page."""
    promises = "".join(_section(promise) for promise in load())
    rows = "".join(_fault(number, what) for number, what in faults().items())
    return f"{_HEAD}{promises}\n{_FAULTS}{rows}"


def faults() -> dict[str, str]:
    """What breaks, by the number of the fault."""
    return tomllib.loads((REGISTRY / "faults.toml").read_text())


def fault_tests(folder: Path) -> dict[str, list[str]]:
    """The fault tests, as pytest names them, by the number that their names carry."""
    found: dict[str, list[str]] = {}
    for file in sorted(folder.rglob("test_*.py")):
        for name in tests_in(file):
            if numbered := _NUMBERED.match(name):
                id_ = f"{file.relative_to(folder.parents[1])}::{name}"
                found.setdefault(numbered[1].upper(), []).append(id_)
    return found


def tests_in(file: Path) -> Iterator[str]:
    """The names of the test functions and of the classes that a file has."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (name.id for name in node.targets if isinstance(name, ast.Name))


def _section(promise: Promise) -> str:
    rows = "".join(
        f"| {each.mechanism} | `{each.path}` | {_test(each.test)} | {each.without} |\n"
        for each in promise.mutants
    )
    title = f"\n## {promise.number}: {promise.title}\n\n"
    return (
        f"{title}| what makes it so | where | proven by | without it |\n|---|---|---|---|\n{rows}"
    )


def _fault(number: str, what: str) -> str:
    tests = [_test(test) for test in fault_tests(FAULTS).get(number, [])]
    return f"| {number} | {what} | {', '.join(tests) or NO_TEST} |\n"


def _test(id_: str) -> str:
    file, _, name = id_.partition("::")
    short = file.removeprefix("tests/")
    return f"`{name}` ({short})" if name else f"`{short}`"
