"""Pages in browsers that put files: what they are asked and told by the Fetch standard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.api.http.cors import Cors
from shared.blobs.local import LocalStore
from tests.support.uploading import expect, open_quay

if TYPE_CHECKING:
    from pathlib import Path

PAGE, OTHER = "https://page.example.com", "https://other.example.com"
PREFIX = "Access-Control-"


@pytest.mark.parametrize(
    ("setting", "origin", "allowed"),
    [
        ("*", PAGE, "*"),
        (f"{PAGE}, https://x.example.com", PAGE, PAGE),
        (PAGE, OTHER, None),
        ("", PAGE, None),
        ("*", None, None),
    ],
)
async def test_a_page_may_put_a_file_where_it_is_let_in(
    sqlite_url: str, tmp_path: Path, setting: str, origin: str | None, allowed: str | None
) -> None:
    store, settings = LocalStore(tmp_path / "blobs"), {"upload_origins": setting}
    async with open_quay(sqlite_url, store, settings) as quay:
        link = quay.link(await expect(quay.core))
        page = {} if origin is None else {"Origin": origin}
        asked = {
            "Access_Control_Request_Method": "PUT",
            "Access_Control_Request_Headers": "content-type,tus-resumable",
        }
        preflight = await quay.send(link, None, "OPTIONS", **page, **asked)
        put = await quay.send(link, **page)
        refused = await quay.send(link, **page)
    assert (preflight.status, put.status, refused.status) == (204, 200, 409)
    for answer in (preflight, put, refused):
        assert answer.headers.get(f"{PREFIX}Allow-Origin") == allowed
        # A cache must not give one page what was told another.
        varies = [value for name, value in answer.headers.items() if name == "Vary"]
        assert ("Origin" in varies) == (setting != "*")
        assert f"{PREFIX}Allow-Credentials" not in answer.headers
    if allowed is None:
        assert not [name for name in preflight.headers if name.startswith(PREFIX)]
        return
    assert "PUT" in preflight.headers[f"{PREFIX}Allow-Methods"]
    assert "PATCH" in preflight.headers[f"{PREFIX}Allow-Methods"]
    may = preflight.headers[f"{PREFIX}Allow-Headers"].lower().split(", ")
    assert {"content-type", "tus-resumable", "upload-offset", "upload-metadata"} <= {*may}
    assert int(preflight.headers[f"{PREFIX}Max-Age"]) > 0
    seen = put.headers[f"{PREFIX}Expose-Headers"].split(", ")
    assert {"ETag", "Location", "Upload-Offset", "Upload-Length", "Tus-Resumable"} <= {*seen}


def test_origins_are_listed_with_commas() -> None:
    assert Cors.parse(" https://a/ ,,https://b").origins == {"https://a", "https://b"}
