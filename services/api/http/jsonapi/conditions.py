"""Conditional requests: entity tags, and the version in them (RFC 9110 section 13)."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from aiohttp import ETag, web

from services.api.domain.errors import EtagMismatch
from services.api.http.authentication import PRINCIPAL
from services.api.http.jsonapi.errors import Error, JsonApiError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from uuid import UUID

    from services.api.domain.principal import Principal
    from services.api.http.jsonapi.resource import Resource

T = TypeVar("T")

_ANY = "*"
_VERSIONED = re.compile(r"(\d{1,18})\.[0-9a-f]+", re.ASCII)
_READS = frozenset({"GET", "HEAD"})


def tagged(
    request: web.Request, response: web.Response, version: int | None = None
) -> web.Response:
    """A document with its entity tag, or what the conditions of a read make of it.

    That is 304 for a client that has it (RFC 9110 section 15.4.5); raises EtagMismatch for one that
    wants another. What was written is not held back: its conditions were looked at before.
    """
    tag = _entity_tag(version, response)
    if request.method in _READS:
        if not _is_wanted(request, tag):
            raise EtagMismatch
        if any(_is_any(each) or each.value == tag for each in request.if_none_match or ()):
            cached = {"ETag": f'"{tag}"', "Vary": response.headers["Vary"]}
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=cached)
    response.etag = tag
    return response


@dataclass(frozen=True, slots=True)
class Condition:
    """The versions that a client wants to change, None for any, and those that it does not.

    A tag of ours counts by its version alone, for progress is no change. ``excluded`` is None when
    no version at all may be changed.
    """

    expected: frozenset[int] | None
    excluded: frozenset[int] | None

    @property
    def only(self) -> int | None:
        """The one version that is expected, if nothing else has to be known."""
        if self.expected is None or len(self.expected) != 1 or self.excluded != frozenset():
            return None
        return next(iter(self.expected))

    def check(self, version: int) -> None:
        """Raise EtagMismatch or JsonApiError 412 unless this version may be changed."""
        if self.expected is not None and version not in self.expected:
            raise EtagMismatch
        if self.excluded is None or version in self.excluded:
            detail = "The resource is one that If-None-Match excludes."
            raise JsonApiError(Error(412, detail, header="If-None-Match"))


_NONE = Condition(expected=None, excluded=frozenset())


def condition_of(request: web.Request) -> Condition | None:
    """The condition of a change (If-Match, If-None-Match), None when any version will do.

    Weak and foreign tags never match If-Match (RFC 9110 section 8.8.3.2), so that no version at all
    may be expected.
    """
    wanted, unwanted = request.if_match, request.if_none_match
    is_any = wanted is None or any(_is_any(tag) for tag in wanted)
    is_none = any(_is_any(tag) for tag in unwanted or ())
    condition = Condition(
        expected=None if is_any else _versions(tag for tag in wanted or () if not tag.is_weak),
        excluded=None if is_none else _versions(unwanted or ()),
    )
    return None if condition == _NONE else condition


async def expected_version(
    request: web.Request,
    resource: Resource[T],
    get: Callable[[Principal, UUID], Awaitable[T]],
    id_: UUID,
) -> int | None:
    """The version that the client wants to change, None for any; raises if it is not there."""
    condition, version_of = condition_of(request), resource.version
    if condition is None or version_of is None:
        return None
    if condition.only is not None:
        return condition.only
    present = version_of(await get(request[PRINCIPAL], id_))
    condition.check(present)
    return present


def _versions(tags: Iterable[ETag]) -> frozenset[int]:
    found = (_VERSIONED.fullmatch(tag.value) for tag in tags)
    return frozenset(int(match[1]) for match in found if match)


def _is_wanted(request: web.Request, tag: str) -> bool:
    """Whether If-Match allows to read the representation with this tag."""
    tags = request.if_match
    return tags is None or any(_is_any(each) or each == ETag(value=tag) for each in tags)


def _is_any(tag: ETag) -> bool:
    return tag.value == _ANY and not tag.is_weak


def _entity_tag(version: int | None, response: web.Response) -> str:
    """A strong tag, without quotes: ``<version>.<hash>``, or the hash of what has no version.

    The media type counts too: the same bytes with another profile are another representation.
    """
    body = response.body
    assert isinstance(body, bytes), "a document"  # noqa: S101 - tells the type checker
    type_ = response.headers["Content-Type"].encode()
    digest = hashlib.blake2b(type_ + b"\n" + body, digest_size=12).hexdigest()
    return digest if version is None else f"{version}.{digest}"
