"""Which store a URL names, and what a store does that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.blobs.base import StoreUnavailable
from shared.blobs.local import LocalStore
from shared.blobs.open import open_store

if TYPE_CHECKING:
    from pathlib import Path


async def test_a_folder_with_a_space(tmp_path: Path) -> None:
    store = open_store((tmp_path / "my blobs").as_uri(), scratch=tmp_path)
    assert isinstance(store, LocalStore)
    with store.create("a/b") as sink:
        sink.commit()
    assert (tmp_path / "my blobs/a/b").is_file()


@pytest.mark.parametrize(
    "url", ["", "/var/blobs", "file://host/blobs", "file://", "s3:///prefix", "ftp://host/blobs"]
)
def test_urls_that_name_no_store(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is none of"):
        open_store(url, scratch=tmp_path)


async def test_a_bucket_that_is_not_there(s3_url: str, tmp_path: Path) -> None:
    store = open_store(s3_url.replace("masters-", "nobody-"), scratch=tmp_path)
    with pytest.raises(StoreUnavailable), store.create("a/b") as sink:
        sink.commit()
    with pytest.raises(StoreUnavailable):
        assert [info async for info in store.keys("a")]
