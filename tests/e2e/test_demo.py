"""`make demo` shows a whole import, and says by its exit code that it completed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

# A variable of whoever runs it must not matter.
ENVIRON = {**os.environ, "STAGEDOOR_NATS_URL": "nats://127.0.0.1:1", "STAGEDOOR_MAX_ATTEMPTS": "0"}
DOCUMENT = re.compile(r"^(?:The task|Its record):\n(\{.*?^\})", re.MULTILINE | re.DOTALL)


def test_the_demo_completes() -> None:
    demo = subprocess.run(
        [sys.executable, "-m", "cli.demo"],
        env=ENVIRON,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert demo.returncode == 0, demo.stdout + demo.stderr
    statuses = re.findall(r"^ +\d+\.\d\d s  (\w+)", demo.stdout, re.MULTILINE)
    # A task is "downloaded" only until a validator hears of it, which a busy machine may not show.
    seen = [status for status in dict.fromkeys(statuses) if status != "downloaded"]
    assert seen == ["pending", "downloading", "validating", "completed"]
    assert re.search(r"downloading +\[#+\.+\]", demo.stdout)
    task, record = (
        json.loads(text)["data"]
        for text in re.findall(
            r"^(?:The task|Its record):\n(\{.*?^\})", demo.stdout, re.MULTILINE | re.DOTALL
        )
    )
    assert task["attributes"]["status"] == "completed"
    assert record["attributes"]["md5"] == task["attributes"]["actualMd5"]
