"""The store that a URL names."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from shared.blobs.local import LocalStore

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, RetryConfig, S3Store

    from shared.blobs.base import BlobStore

_REMOTE = frozenset({"s3", "gs", "az"})
# A request has 30 s, by the library's default; a run is to learn soon that its store is gone.
_RETRIES: RetryConfig = {"max_retries": 5, "retry_timeout": timedelta(seconds=60)}


def open_store(url: str, *, scratch: Path) -> BlobStore:
    """Open ``file:///folder``, ``s3://bucket/prefix``, ``gs://bucket/prefix`` or ``az://...``.

    ``scratch`` is a folder of this process for copies of blobs that are in a remote store.
    Credentials and endpoints of remote stores come from their usual environment (``AWS_*``,
    ``GOOGLE_*``, ``AZURE_*``). Raises ValueError for any other URL.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path != "":
        return LocalStore(Path(unquote(parts.path)))
    if parts.scheme in _REMOTE and parts.netloc:
        # Late, because the object-store library is native code that a local store does not need.
        from shared.blobs.objects import ObjectStore

        return ObjectStore(_backend(parts.scheme, url), scratch)
    raise ValueError(f"{url!r} is none of file:///folder, s3://bucket/prefix, gs://..., az://...")


def _backend(scheme: str, url: str) -> AzureStore | GCSStore | S3Store:
    from obstore.store import AzureStore, GCSStore, S3Store

    kinds: dict[str, type[AzureStore | GCSStore | S3Store]]
    kinds = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}
    return kinds[scheme].from_url(url, retry_config=_RETRIES)
