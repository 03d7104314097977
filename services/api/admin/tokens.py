"""``token``: who may ask."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from services.api.admin.front import executor, opened, say
from services.api.db.migrations import upgrade
from services.api.domain.principal import ADMIN
from services.api.use_cases.tokens import Token, Tokens

if TYPE_CHECKING:
    from services.api.admin.front import Nouns
    from services.api.settings import ApiSettings

MAX_OVERLAP_HOURS = 24 * 365


def add(nouns: Nouns) -> None:
    """Declare the commands."""
    verbs = nouns.add_parser("token", help="who may ask").add_subparsers(required=True)
    create = verbs.add_parser("create", help="make one and print it")
    create.add_argument("--name", required=True)
    create.add_argument("--tenant", default="default")
    create.add_argument("--scopes", default=ADMIN, help="comma-separated")
    create.add_argument("--days", type=float, help="how long it is good; for ever if not given")
    create.add_argument("--upgrade", action="store_true", help="bring the tables to this version")
    create.set_defaults(action=_create)
    rotate = verbs.add_parser("rotate", help="make one that takes the place of another")
    rotate.add_argument("key_id")
    rotate.add_argument(
        "--overlap-hours", type=_overlap, default="24", help="how long the old one stays good"
    )
    rotate.set_defaults(action=_rotate)
    verbs.add_parser("list", help="print all, and when each was last used").set_defaults(
        action=_list
    )
    revoke = verbs.add_parser("revoke", help="end one at once")
    revoke.add_argument("key_id")
    revoke.set_defaults(action=_revoke)


async def _create(settings: ApiSettings, arguments: argparse.Namespace) -> int:
    expires_at = None
    if arguments.days is not None:
        expires_at = datetime.now(UTC) + timedelta(days=arguments.days)
    scopes = arguments.scopes.split(",")
    if arguments.upgrade:
        async with opened(settings) as engines:
            await upgrade(engines)
    async with executor(settings) as units:
        say(await Tokens(units).issue(arguments.tenant, arguments.name, scopes, expires_at))
    return 0


async def _rotate(settings: ApiSettings, arguments: argparse.Namespace) -> int:
    async with executor(settings) as units:
        say(await Tokens(units).rotate(arguments.key_id, arguments.overlap_hours))
    return 0


async def _list(settings: ApiSettings, _: argparse.Namespace) -> int:
    async with executor(settings) as units:
        for token in await Tokens(units).list():
            say(_line(token))
    return 0


async def _revoke(settings: ApiSettings, arguments: argparse.Namespace) -> int:
    async with executor(settings) as units:
        await Tokens(units).revoke(arguments.key_id)
    return 0


def _line(token: Token) -> str:
    used = f"used {token.last_used_at:%Y-%m-%dT%H:%MZ}" if token.last_used_at else "never used"
    fields = (token.key_id, token.tenant, token.name, ",".join(token.scopes), _state(token), used)
    return "\t".join(fields)


def _state(token: Token) -> str:
    if token.revoked_at is not None:
        return "revoked"
    if token.expires_at is not None and token.expires_at <= datetime.now(UTC):
        state = "expired"
    elif token.expires_at is not None:
        state = f"active until {token.expires_at:%Y-%m-%dT%H:%MZ}"
    else:
        state = "active"
    return f"{state}, rotated to {token.successor}" if token.successor else state


def _overlap(text: str) -> timedelta:
    hours = int(text)
    if not 0 <= hours <= MAX_OVERLAP_HOURS:
        raise argparse.ArgumentTypeError(f"0 to {MAX_OVERLAP_HOURS} hours")
    return timedelta(hours=hours)
