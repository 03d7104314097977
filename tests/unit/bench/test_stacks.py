"""Which layer a sample belongs to."""

from __future__ import annotations

import pytest

from bench.layers.stacks import layers

LOOP = "_run_once (asyncio/base_events.py:1)"
UNIT = "unit (services/api/use_cases/runs.py:2)"


@pytest.mark.parametrize(
    ("stack", "layer"),
    [
        (f"{LOOP};execute (sqlalchemy/engine/base.py:3)", "SQLAlchemy"),
        (f"{LOOP};{UNIT};replace (dataclasses.py:4)", "ours: use cases"),
        (f"{LOOP};{UNIT};write (asyncio/selector_events.py:5)", "sockets: send and receive"),
        (f"{LOOP};round (services/api/dispatcher.py:6)", "ours: loops of the API"),
        ("process (0x7f)", "other"),
    ],
)
def test_the_innermost_frame_that_has_one_decides(stack: str, layer: str) -> None:
    assert layers([f"{stack} 7"]) == {layer: 7}


def test_samples_add_up_and_waiting_is_none() -> None:
    waiting = f"{LOOP};select (selectors.py:468) 99"
    assert layers([f"{LOOP} 1", f"{LOOP} 2", waiting]) == {"event loop": 3}
