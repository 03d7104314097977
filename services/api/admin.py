"""What an operator does to the database itself: ``python -m services.api.admin …``.

The ``stagedoor`` command runs this as a child, because nothing else may open the database.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from services.api.db.engine import open_engines
from services.api.db.executor import Executor
from services.api.db.migrations import upgrade
from services.api.db.schema import check_tables
from services.api.domain.errors import Refusal
from services.api.domain.principal import ADMIN
from services.api.settings import ApiSettings
from services.api.signals import Signals
from services.api.use_cases.quotas import Quotas
from services.api.use_cases.tokens import Token, Tokens

MAX_OVERLAP_HOURS = 24 * 365
MAX_QUOTA = 2**63 - 1
DEFAULT = "default"

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from services.api.db.engine import Engines

    Action = Callable[[Engines, argparse.Namespace], Awaitable[str]]


def main() -> int:
    """Run one command; 0 when it was done, 1 when it was refused."""
    arguments = _parser().parse_args()
    try:
        answer = asyncio.run(_run(arguments.action, arguments))
    except Refusal as refusal:
        sys.stderr.write(f"error: {refusal.reason}: {refusal.detail}\n")
        return 1
    sys.stdout.write(answer)
    return 0


async def _run(action: Action, arguments: argparse.Namespace) -> str:
    settings = ApiSettings()
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    engines = open_engines(settings.database())
    try:
        return await action(engines, arguments)
    finally:
        await engines.dispose()


async def _upgrade(engines: Engines, _: argparse.Namespace) -> str:
    await upgrade(engines)
    return ""


async def _create_token(engines: Engines, arguments: argparse.Namespace) -> str:
    expires_at = None
    if arguments.days is not None:
        expires_at = datetime.now(UTC) + timedelta(days=arguments.days)
    scopes = arguments.scopes.split(",")
    tokens = await _tokens(engines)
    return await tokens.issue(arguments.tenant, arguments.name, scopes, expires_at) + "\n"


async def _rotate_token(engines: Engines, arguments: argparse.Namespace) -> str:
    tokens = await _tokens(engines)
    return await tokens.rotate(arguments.key_id, arguments.overlap_hours) + "\n"


async def _list_tokens(engines: Engines, _: argparse.Namespace) -> str:
    tokens = await _tokens(engines)
    return "".join(_line(token) for token in await tokens.list())


async def _revoke_token(engines: Engines, arguments: argparse.Namespace) -> str:
    await (await _tokens(engines)).revoke(arguments.key_id)
    return ""


async def _set_quota(engines: Engines, arguments: argparse.Namespace) -> str:
    await check_tables(engines)
    quotas = Quotas(Executor(engines, Signals().notify))
    await quotas.set(arguments.tenant, arguments.bytes)
    return ""


async def _tokens(engines: Engines) -> Tokens:
    await check_tables(engines)
    return Tokens(Executor(engines, Signals().notify))


def _line(token: Token) -> str:
    used = f"used {token.last_used_at:%Y-%m-%dT%H:%MZ}" if token.last_used_at else "never used"
    fields = (token.key_id, token.tenant, token.name, ",".join(token.scopes), _state(token), used)
    return "\t".join(fields) + "\n"


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


def _quota(text: str) -> int | None:
    if text == DEFAULT:
        return None
    if not (text.isascii() and text.isdecimal() and int(text) <= MAX_QUOTA):
        raise argparse.ArgumentTypeError(f"a number of bytes, 0 for any number, or {DEFAULT}")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.api.admin", description=__doc__)
    nouns = parser.add_subparsers(required=True, metavar="NOUN")
    database = nouns.add_parser("db", help="the tables").add_subparsers(required=True)
    database.add_parser("upgrade", help="bring them to this version").set_defaults(action=_upgrade)
    tokens = nouns.add_parser("token", help="who may ask").add_subparsers(required=True)
    create = tokens.add_parser("create", help="make one and print it")
    create.add_argument("--name", required=True)
    create.add_argument("--tenant", default="default")
    create.add_argument("--scopes", default=ADMIN, help="comma-separated")
    create.add_argument("--days", type=float, help="how long it is good; for ever if not given")
    create.set_defaults(action=_create_token)
    rotate = tokens.add_parser("rotate", help="make one that takes the place of another")
    rotate.add_argument("key_id")
    rotate.add_argument(
        "--overlap-hours", type=_overlap, default="24", help="how long the old one stays good"
    )
    rotate.set_defaults(action=_rotate_token)
    tokens.add_parser("list", help="print all, and when each was last used").set_defaults(
        action=_list_tokens
    )
    revoke = tokens.add_parser("revoke", help="end one at once")
    revoke.add_argument("key_id")
    revoke.set_defaults(action=_revoke_token)
    quotas = nouns.add_parser("quota", help="how much a tenant may store").add_subparsers(
        required=True
    )
    set_quota = quotas.add_parser("set", help="give a tenant one of its own")
    set_quota.add_argument("tenant")
    set_quota.add_argument(
        "bytes", type=_quota, help=f"0 for any number, {DEFAULT} for STAGEDOOR_TENANT_BYTES"
    )
    set_quota.set_defaults(action=_set_quota)
    return parser


if __name__ == "__main__":
    sys.exit(main())
