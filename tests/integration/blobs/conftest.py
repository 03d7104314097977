"""One store after another, each real, each empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.blobs.open import open_store
from tests.support import s3

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.blobs.base import BlobStore


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    with s3.running_s3() as endpoint:
        yield endpoint


@pytest.fixture
def s3_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix in a bucket of its own."""
    for name, value in s3.environment(s3_endpoint).items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3.make_bucket(s3_endpoint)}/prefix"


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    local = request.param == "local"
    url = (tmp_path / "blobs").as_uri() if local else request.getfixturevalue("s3_url")
    return open_store(url, scratch=tmp_path / "scratch")
