"""Conditional requests: entity tags, and the version in them (RFC 9110 section 13)."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp import ETag, web

_ANY = "*"
_VERSIONED = re.compile(r"(\d{1,18})\.[0-9a-f]+", re.ASCII)


def entity_tag(version: int | None, body: bytes) -> str:
    """A strong tag, without quotes: ``<version>.<hash>``, or the hash of what has no version."""
    digest = hashlib.blake2b(body, digest_size=12).hexdigest()
    return digest if version is None else f"{version}.{digest}"


def is_known(request: web.Request, tag: str) -> bool:
    """Whether a client that reads has the representation with this tag (If-None-Match)."""
    if request.method not in {"GET", "HEAD"}:
        return False
    return any(each.value in {_ANY, tag} for each in request.if_none_match or ())


def expected_versions(request: web.Request) -> frozenset[int] | None:
    """The versions that a client wants to change (If-Match); None when any will do.

    A tag of ours counts by its version alone, for progress is no change. Weak and foreign tags
    never match (RFC 9110 section 8.8.3.2), so the set may be empty.
    """
    tags = request.if_match
    if tags is None or any(_is_any(tag) for tag in tags):
        return None
    found = (_VERSIONED.fullmatch(tag.value) for tag in tags if not tag.is_weak)
    return frozenset(int(match[1]) for match in found if match)


def _is_any(tag: ETag) -> bool:
    return tag.value == _ANY and not tag.is_weak
