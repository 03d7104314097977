"""The store that a URL names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from shared.blobs.local import LocalStore

if TYPE_CHECKING:
    from shared.blobs.base import BlobStore

_REMOTE = frozenset({"s3", "gs", "az"})


def open_store(url: str, *, scratch: Path) -> BlobStore:
    """Open ``file:///folder``, ``s3://bucket/prefix``, ``gs://bucket/prefix`` or ``az://...``.

    ``scratch`` is a folder of this process for blobs on their way to or from a remote store.
    Credentials and endpoints of remote stores come from their usual environment (``AWS_*``,
    ``GOOGLE_*``, ``AZURE_*``). Raises ValueError for any other URL.
    """
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and parts.path != "":
        return LocalStore(Path(unquote(parts.path)))
    if parts.scheme in _REMOTE and parts.netloc:
        # Late, because the object-store library is native code that a local store does not need.
        from obstore.store import from_url

        from shared.blobs.objects import ObjectStore

        return ObjectStore(from_url(url), scratch)
    raise ValueError(f"{url!r} is none of file:///folder, s3://bucket/prefix, gs://..., az://...")
