"""``verify``: whether the store has the bytes that the database names."""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from services.api.admin.front import executor, say
from services.api.use_cases.verify import Scope, Verification
from shared.blobs.open import open_store

if TYPE_CHECKING:
    from services.api.admin.front import Nouns
    from services.api.settings import ApiSettings
    from services.api.use_cases.named import Finding

WRONG = 1
COULD_NOT_RUN = 2
_UNITS = {"h": "hours", "d": "days"}


def add(nouns: Nouns) -> None:
    """Declare the command."""
    verify = nouns.add_parser("verify", help="whether the store has what the database names")
    verify.add_argument("--tenant", help="of this one only")
    verify.add_argument("--since", type=_moment, help="records made since: a date, or 36h, or 7d")
    verify.add_argument("--rate", type=_rate, default=0, help="at most so many bytes a second")
    verify.add_argument("--json", action="store_true", help="a JSON object a line")
    verify.set_defaults(action=_verify, failed=COULD_NOT_RUN)


async def _verify(settings: ApiSettings, arguments: argparse.Namespace) -> int:
    scope = Scope(tenant=arguments.tenant, since=arguments.since, rate=arguments.rate)
    store = open_store(settings.store_url(), scratch=settings.data_dir / "scratch")
    show = _as_json if arguments.json else _as_text
    async with executor(settings) as units:
        verification = Verification(units, store, scope)
        async for finding in verification.run():
            say(show(finding))
    sums = verification.sums
    if arguments.json:
        say(json.dumps({"summary": asdict(sums)}))
    else:
        found = f"{sums.wrong} wrong, {sums.unnamed} unnamed"
        say(f"{sums.checked} checked, {sums.bytes} bytes; {found}")
    return WRONG if sums.wrong else 0


def _as_text(finding: Finding) -> str:
    return "\t".join((finding.kind, finding.name or "-", finding.key, finding.detail))


def _as_json(finding: Finding) -> str:
    return json.dumps(asdict(finding))


def _moment(text: str) -> datetime:
    if match := re.fullmatch(r"(\d{1,6})([hd])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("a date as 2026-01-31, or 36h, or 7d") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _rate(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise argparse.ArgumentTypeError("a number of bytes, 0 for any number")
    return int(text)
