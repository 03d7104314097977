"""What a process loads when it starts, and what it does not."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shared.lean import lean_imports

NEEDLESS = {
    "services.downloader": {"rich", "aiohttp", "sqlalchemy", "grpc", "numpy"},
    "services.validator": {"rich", "aiohttp", "sqlalchemy", "grpc", "numpy"},
    "services.api": {"rich", "numpy"},
}
LOADED = "import sys, {module}.__main__; print(*sys.modules)"


@pytest.mark.parametrize(("module", "needless"), NEEDLESS.items())
def test_a_service_loads_nothing_that_it_does_not_use(module: str, needless: set[str]) -> None:
    run = subprocess.run(
        [sys.executable, "-c", LOADED.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not needless & set(run.stdout.split())


def test_what_was_hidden_can_be_had_afterwards() -> None:
    sys.modules.pop("colorsys", None)
    with lean_imports("colorsys", "json"):
        with pytest.raises(ImportError):
            __import__("colorsys")
        assert __import__("json") is sys.modules["json"], "it was there before"
    assert __import__("colorsys").rgb_to_hls(0, 0, 0) == (0, 0, 0)
