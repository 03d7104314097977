"""Fetching the bytes behind a download link into a file, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from cli.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.client import HTTPResponse

    from stagedoor.v1.record_service_pb2 import Record

STALL_SECONDS: Final = 60.0
CHUNK_BYTES: Final = 1024 * 1024

# Nothing of a name that a server gives leads to another folder, or is hidden.
_NAMED: Final = re.compile(r'filename="([A-Za-z0-9][A-Za-z0-9._-]{0,99})"', re.ASCII)


def fetch(url: str, record: Record, output: Path | None) -> Path:
    """Fetch a record's bytes; gives the file that has them now.

    Without ``output`` it is a new one of the present folder. Raises CommandError.
    """
    with _failures(), _opened(url) as answer:
        path = output or _new(answer, record)
        part = path.with_name(f"{path.name}.{token_hex(4)}.part")
        try:
            with part.open("xb") as file:
                md5, size = hashlib.md5(usedforsecurity=False), 0
                while chunk := answer.read(CHUNK_BYTES):
                    md5.update(chunk)
                    size += file.write(chunk)
            if (md5.hexdigest(), size) != (record.md5, record.size_bytes):
                detail = f"{size} of {record.size_bytes} bytes came, or other ones. Try again."
                raise CommandError("DOWNLOAD_BROKEN", detail)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return path


def _opened(url: str) -> Any:
    if urlsplit(url).scheme not in {"http", "https"}:
        raise CommandError("LINK_INVALID", "The link is no URL of the web.")
    return urlopen(url, timeout=STALL_SECONDS)  # noqa: S310 - looked at above


def _new(answer: HTTPResponse, record: Record) -> Path:
    named = _NAMED.search(answer.headers.get("Content-Disposition", ""))
    path = Path(named[1] if named else record.isrc or record.name.rpartition("/")[2])
    if os.path.lexists(path):
        raise CommandError("FILE_EXISTS", f"{path} is there already; say where to with -o.")
    return path


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except HTTPError as refusal:
        raise CommandError(
            _code(refusal), f"The server of the link answers {refusal.code}."
        ) from None
    except URLError as error:
        raise CommandError("DOWNLOAD_FAILED", f"The link's server: {error.reason}.") from None
    except (OSError, HTTPException) as error:
        raise CommandError("DOWNLOAD_FAILED", f"{str(error) or type(error).__name__}.") from None


def _code(refusal: HTTPError) -> str:
    """The stable code that our own server names, in the form of all reasons."""
    try:
        code: str = json.loads(refusal.read(CHUNK_BYTES))["errors"][0]["code"]
    except (ValueError, LookupError, TypeError, OSError):
        return "DOWNLOAD_FAILED"
    return code.upper()
