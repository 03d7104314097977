"""What services write to their logs, and what they never write."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from shared.telemetry.logs import configure
configure("api")
structlog.get_logger("x").info("ours", task="t1")
logging.getLogger("library").warning("theirs %s", 1)
secret = "sd_0123456789abcdef_secret"
try:
    raise ValueError("broken")
except ValueError:
    structlog.get_logger("x").exception("fault")
"""


def _lines() -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True
    )
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_each_event_is_one_line_of_json_ours_and_the_libraries_alike() -> None:
    ours, theirs, fault = _lines()
    assert (ours["event"], ours["task"], ours["service"]) == ("ours", "t1", "api")
    assert (theirs["event"], theirs["level"]) == ("theirs 1", "warning")
    assert fault["level"] == "error"


def test_a_traceback_says_where_and_shows_no_variables() -> None:
    text = json.dumps(_lines()[2])
    assert "ValueError" in text
    assert "sd_0123456789abcdef_secret" not in text
