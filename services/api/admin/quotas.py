"""``quota``: how much a tenant may store."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from services.api.admin.front import executor
from services.api.use_cases.quotas import Quotas

if TYPE_CHECKING:
    from services.api.admin.front import Nouns
    from services.api.settings import ApiSettings

MAX_QUOTA = 2**63 - 1
DEFAULT = "default"


def add(nouns: Nouns) -> None:
    """Declare the commands."""
    verbs = nouns.add_parser("quota", help="how much a tenant may store").add_subparsers(
        required=True
    )
    set_quota = verbs.add_parser("set", help="give a tenant one of its own")
    set_quota.add_argument("tenant")
    set_quota.add_argument(
        "bytes", type=_quota, help=f"0 for any number, {DEFAULT} for STAGEDOOR_TENANT_BYTES"
    )
    set_quota.set_defaults(action=_set)


async def _set(settings: ApiSettings, arguments: argparse.Namespace) -> int:
    async with executor(settings) as units:
        await Quotas(units).set(arguments.tenant, arguments.bytes)
    return 0


def _quota(text: str) -> int | None:
    if text == DEFAULT:
        return None
    if not (text.isascii() and text.isdecimal() and int(text) <= MAX_QUOTA):
        raise argparse.ArgumentTypeError(f"a number of bytes, 0 for any number, or {DEFAULT}")
    return int(text)
