"""Trying one mutant: a copy of the tree, one change, one test, and whether the test noticed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from lxml import etree

from tests.promises.catalogue import ROOT, StaleMutant

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from tests.promises.catalogue import Mutant

# The environment stays where it is; what tools leave behind is not the tree.
_NOT_THE_TREE = shutil.ignore_patterns(
    ".git", ".venv", "var", "dist", "__pycache__", ".*_cache", ".hypothesis", "node_modules"
)
# What a mutant lets hang need not hang for long.
_TEST_SECONDS = 30
_SLOW_TEST_SECONDS = 120
_TRIAL_SECONDS = 180
_ALL_SECONDS = 1800
_SAID = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether it went as it must, in how many seconds, and how the test said so."""

    good: bool
    seconds: float
    said: str


@contextmanager
def copied_tree() -> Iterator[Path]:
    """A copy of the tree, in a folder that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="stagedoor-promise-") as folder:
        yield Path(shutil.copytree(ROOT, Path(folder, "tree"), ignore=_NOT_THE_TREE))


def try_unchanged(tests: Collection[str]) -> Verdict:
    """Run tests in a copy that nobody changed: all must pass."""
    began = monotonic()
    with copied_tree() as root:
        code, failures = _run(root, sorted(tests), 4 * _TEST_SECONDS, _ALL_SECONDS)
    said = "; ".join(failures) or f"pytest ended with {code}"
    return Verdict(code == 0, monotonic() - began, "all passed" if code == 0 else said)


def try_out(mutant: Mutant) -> Verdict:
    """Run a mutant's test in a copy that has the mutant: the test must fail, by its own word."""
    began = monotonic()
    with copied_tree() as root:
        try:
            mutant.apply(root)
        except (StaleMutant, OSError) as stale:
            return Verdict(False, monotonic() - began, f"stale: {stale}")  # noqa: FBT003 - a verdict
        seconds = _SLOW_TEST_SECONDS if mutant.is_slow else _TEST_SECONDS
        code, failures = _run(root, [mutant.test], seconds, _TRIAL_SECONDS)
    noticed = [said for said in failures if _kind(said) in mutant.exceptions]
    if code == pytest_failed() and noticed:
        return Verdict(True, monotonic() - began, noticed[0])  # noqa: FBT003 - as above
    survived = "nobody noticed" if code == 0 else f"pytest ended with {code}"
    return Verdict(False, monotonic() - began, "; ".join(failures) or survived)  # noqa: FBT003 - as above


def pytest_failed() -> int:
    """The exit code of pytest that says: tests ran, and some failed."""
    return 1


def _run(root: Path, tests: list[str], each: int, seconds: int) -> tuple[int, list[str]]:
    """Run tests of a tree; gives the exit code, and of each failure its exception and message."""
    junit = root / "junit.xml"
    options = ["-q", "-n0", "-o", f"timeout={each}", f"--junitxml={junit}"]
    path = os.pathsep.join(map(str, (root, root / "shared" / "gen")))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=root,
            env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            timeout=seconds,
            capture_output=True,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return -1, []
    return done.returncode, _failures(junit) if junit.exists() else []


def _failures(junit: Path) -> list[str]:
    found = etree.parse(junit).iterfind(".//testcase/failure")
    return [" ".join(str(each.get("message")).split())[:_SAID] for each in found]


def _kind(said: str) -> str:
    """The exception's name, without its modules and its message."""
    return said.partition(":")[0].split(" ")[0].rpartition(".")[2]
