"""The example in docs/webhooks.md does what it says."""

from __future__ import annotations

import base64
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services.api.notify.signature import sign

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[3] / "docs" / "webhooks.md"
KEY, OTHER = b"k" * 32, b"o" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
BODY = b'{"type":"stagedoor.ping"}'


@pytest.fixture
def verify() -> Callable[[str, dict[str, str], bytes], bool]:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    names: dict[str, Any] = {}
    exec(found[1], names)  # noqa: S102 - our own page
    example: Callable[[str, dict[str, str], bytes], bool] = names["verify"]
    return example


def headers(*keys: bytes, age: int = 0) -> dict[str, str]:
    at = int(time.time()) - age
    return {
        "webhook-id": "id",
        "webhook-timestamp": str(at),
        "webhook-signature": sign(keys, "id", at, BODY),
    }


@pytest.mark.parametrize(
    ("keys", "age", "body", "is_ours"),
    [
        ([KEY], 0, BODY, True),
        ([OTHER, KEY], 0, BODY, True),
        ([OTHER], 0, BODY, False),
        ([KEY], 0, BODY + b" ", False),
        ([KEY], 400, BODY, False),
    ],
)
def test_it_tells_ours_from_others(
    verify: Callable[[str, dict[str, str], bytes], bool],
    keys: list[bytes],
    age: int,
    body: bytes,
    *,
    is_ours: bool,
) -> None:
    assert verify(SECRET, headers(*keys, age=age), body) is is_ours
