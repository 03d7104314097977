"""What `make` promises: the names that scripts rely on, and two lock files that agree."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([a-z0-9._-]+)==(\S+)", re.MULTILINE)
OLD_PYTHON = """#!/bin/sh
# Answers as a Python of before our time would.
exec python3 -c "import sys; sys.version_info = (3, 10, 0); exec(sys.argv[1])" "$2"
"""


def _make(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_make_alone_lists_what_there_is() -> None:
    listed = re.findall(r"^  make (\w+) +\S", _make().stdout, re.MULTILINE)
    assert {"demo", "test", "run", "check", "proto", "bench", "help"} <= set(listed)
    assert _make().stdout == _make("help").stdout


@pytest.mark.parametrize("target", ["demo", "test", "run", "check", "proto", "bench"])
def test_a_target_can_be_made(target: str) -> None:
    planned = _make("--dry-run", target)
    assert planned.returncode == 0, planned.stderr


def test_an_old_python_is_told_what_is_needed(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text(OLD_PYTHON)
    old.chmod(0o755)
    made = _make("demo", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")
    assert made.returncode != 0
    assert "Stagedoor needs Python 3.11 or newer; this one is 3.10" in made.stderr
    assert not (tmp_path / "venv").exists()


def test_what_is_run_is_what_is_tested() -> None:
    runtime, development = (
        dict(PIN.findall((ROOT / name).read_text()))
        for name in ("requirements.lock", "requirements-dev.lock")
    )
    assert runtime.items() <= development.items()


def test_no_lock_file_names_an_index() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        assert not re.search(r"https?://|--index-url|--find-links", (ROOT / name).read_text())


def test_ci_runs_what_the_readme_says() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    targets = re.findall(r"\bmake ([\w-]+)$", script, re.MULTILINE)
    assert targets == ["check", "test", "test-long", "fuzz", "fuzz-readers", "soak"]
    readme = (ROOT / "README.md").read_text()
    assert all(f"`make {target}`" in readme for target in targets)
