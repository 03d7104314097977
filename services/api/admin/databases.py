"""``db``: the tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.api.admin.front import opened, say
from services.api.db.engine import open_engines
from services.api.db.migrations import upgrade
from services.api.use_cases.copying import copy_database

if TYPE_CHECKING:
    import argparse

    from services.api.admin.front import Nouns
    from services.api.settings import ApiSettings


def add(nouns: Nouns) -> None:
    """Declare the commands."""
    verbs = nouns.add_parser("db", help="the tables").add_subparsers(required=True)
    verbs.add_parser("upgrade", help="bring them to this version").set_defaults(action=_upgrade)
    copy = verbs.add_parser("copy", help="copy them to a database that has them empty")
    copy.add_argument("source", metavar="FROM")
    copy.add_argument("target", metavar="TO")
    copy.set_defaults(action=_copy)


async def _upgrade(settings: ApiSettings, _: argparse.Namespace) -> int:
    async with opened(settings) as engines:
        await upgrade(engines)
    return 0


async def _copy(_: ApiSettings, arguments: argparse.Namespace) -> int:
    source, target = open_engines(arguments.source), open_engines(arguments.target)
    try:
        for name, rows in (await copy_database(source, target)).items():
            say(f"{rows}\t{name}")
    finally:
        await source.dispose()
        await target.dispose()
    return 0
