"""Failpoints do nothing unless the environment names them, and then exactly what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from shared import failpoints

ROOT = Path(failpoints.__file__).parents[1]
REACHED = re.compile(r'\breach\("([a-z.]+)"\)')


def run(value: str | None, *points: str) -> subprocess.CompletedProcess[str]:
    """Reach points in a process of their own; it prints each that it came past."""
    lines = [f"reach({point!r}); print({point!r}, flush=True)" for point in points]
    program = "\n".join(["from shared.failpoints import reach", *lines])
    env = {"PATH": os.environ["PATH"]} | ({} if value is None else {failpoints.VARIABLE: value})
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("value", [None, ""])
def test_nothing_happens_unless_a_point_is_named(value: str | None) -> None:
    done = run(value, *failpoints.POINTS)
    assert (done.returncode, done.stdout.split()) == (0, list(failpoints.POINTS))


def test_a_point_kills_the_process_that_reaches_it() -> None:
    done = run("relay.published=kill", "api.claimed", "relay.published", "api.reported")
    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["api.claimed"])


def test_a_point_may_wait_for_a_later_time() -> None:
    done = run("api.claimed=kill@3", *["api.claimed"] * 5)
    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["api.claimed"] * 2)


def test_several_points_may_be_named() -> None:
    done = run("api.claimed=kill@2,api.reported=kill", "api.claimed", "api.reported")
    assert (done.returncode, done.stdout.split()) == (-signal.SIGKILL, ["api.claimed"])


def test_a_process_that_was_stopped_goes_on_and_is_not_stopped_again() -> None:
    program = (
        "from shared.failpoints import reach\n"
        "for _ in range(3): reach('worker.claimed')\n"
        "print('past', flush=True)"
    )
    env = {"PATH": os.environ["PATH"], failpoints.VARIABLE: "worker.claimed=stop"}
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=env, stdout=subprocess.PIPE
    ) as child:
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert os.WSTOPSIG(status) == signal.SIGSTOP
        child.send_signal(signal.SIGCONT)
        try:
            printed, _ = child.communicate(timeout=20)
        finally:
            child.kill()
    assert (child.returncode, printed) == (0, b"past\n")


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("relay.publish=kill", "there is no point 'relay.publish'"),
        ("relay.published=maim", "there is no action 'maim'"),
        ("relay.published", "is not POINT=ACTION"),
        ("relay.published=kill@0", "is not POINT=ACTION"),
        ("api.claimed=kill;api.reported=kill", "is not POINT=ACTION"),
    ],
)
def test_what_makes_no_sense_is_refused_at_the_start(value: str, complaint: str) -> None:
    done = run(value)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {failpoints.VARIABLE}: ")
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_each_point_that_there_is_stands_at_one_place_in_the_code() -> None:
    sources = [*ROOT.glob("services/**/*.py"), *ROOT.glob("shared/**/*.py")]
    reached = [point for path in sources for point in REACHED.findall(path.read_text())]
    assert sorted(reached) == sorted(failpoints.POINTS)
