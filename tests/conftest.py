"""Fixtures that every suite may ask for."""

from __future__ import annotations

import signal

pytest_plugins = ["tests.support.postgres", "tests.support.core"]


def pytest_configure() -> None:
    """Let children be interrupted, also where a shell has put the tests in the background.

    Such a shell has them ignore Ctrl-C, and what is ignored stays so in every child.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
