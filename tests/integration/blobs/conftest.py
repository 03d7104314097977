"""One store after another, each real, each empty."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from obstore.store import S3Store

from shared.blobs.objects import ObjectStore
from shared.blobs.open import open_store
from tests.support import s3, sick_s3

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


@dataclass(frozen=True)
class SickStore:
    """A store behind a server that can fall ill, and its bucket seen past that server."""

    store: ObjectStore
    sickness: sick_s3.Sickness
    endpoint: str
    bucket: str

    def unfinished(self) -> list[str]:
        """Return the keys of the uploads that dangle."""
        return s3.unfinished(self.endpoint, self.bucket)

    def objects(self) -> list[str]:
        """Return the keys of all objects."""
        listing = s3.client(self.endpoint).list_objects_v2(Bucket=self.bucket)
        return [item["Key"] for item in listing.get("Contents", [])]


@pytest.fixture
def sick(s3_endpoint: str, tmp_path: Path) -> Iterator[SickStore]:
    bucket = s3.make_bucket(s3_endpoint)
    with sick_s3.in_front_of(s3_endpoint) as (endpoint, sickness):
        backend = S3Store(
            bucket,
            endpoint=endpoint,
            region="us-east-1",
            access_key_id="test",
            secret_access_key="very-secret",
            client_options={"allow_http": True, "timeout": timedelta(seconds=2)},
            retry_config={
                "max_retries": 2,
                "retry_timeout": timedelta(seconds=20),
                "backoff": {"max_backoff": timedelta(milliseconds=200)},
            },
        )
        store = ObjectStore(backend, tmp_path / "scratch")
        yield SickStore(store, sickness, s3_endpoint, bucket)


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    local = request.param == "local"
    url = (tmp_path / "blobs").as_uri() if local else request.getfixturevalue("s3_url")
    return open_store(url, scratch=tmp_path / "scratch")
