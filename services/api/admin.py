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
from services.api.domain.errors import Refusal
from services.api.domain.principal import ADMIN
from services.api.settings import ApiSettings
from services.api.signals import Signals
from services.api.use_cases.tokens import Token, Tokens

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
    return await _tokens(engines).issue(arguments.tenant, arguments.name, scopes, expires_at) + "\n"


async def _list_tokens(engines: Engines, _: argparse.Namespace) -> str:
    return "".join(_line(token) for token in await _tokens(engines).list())


async def _revoke_token(engines: Engines, arguments: argparse.Namespace) -> str:
    await _tokens(engines).revoke(arguments.key_id)
    return ""


def _tokens(engines: Engines) -> Tokens:
    return Tokens(Executor(engines, Signals().notify))


def _line(token: Token) -> str:
    state = "revoked" if token.revoked_at else "active"
    if token.expires_at is not None:
        state += f" until {token.expires_at.isoformat()}"
    return "\t".join([token.key_id, token.tenant, token.name, ",".join(token.scopes), state]) + "\n"


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
    tokens.add_parser("list", help="print all").set_defaults(action=_list_tokens)
    revoke = tokens.add_parser("revoke", help="end one at once")
    revoke.add_argument("key_id")
    revoke.set_defaults(action=_revoke_token)
    return parser


if __name__ == "__main__":
    sys.exit(main())
