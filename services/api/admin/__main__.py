"""``python -m services.api.admin``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import TYPE_CHECKING

from shared.lean import without

with without("rich"):  # the log library would load it for colours
    from pydantic import ValidationError

    from services.api import admin
    from services.api.admin import backups, databases, quotas, tokens, verifying
    from services.api.domain.errors import Refusal
    from services.api.settings import ApiSettings
    from shared.blobs.base import BlobError

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it was done, 1 when it was refused unless the command has its own."""
    arguments = _parser().parse_args(argv)
    try:
        return int(asyncio.run(arguments.action(ApiSettings(), arguments)))
    except Refusal as refusal:
        return _fail(arguments, refusal.reason, refusal.detail)
    except ValidationError as error:  # does not show the values: there are secrets among them
        return _fail(arguments, "INVALID_SETTINGS", " ".join(str(error).split()))
    except (BlobError, OSError) as error:
        return _fail(arguments, "FAILED", str(error) or type(error).__name__)


def _fail(arguments: argparse.Namespace, reason: str, detail: str) -> int:
    sys.stderr.write(f"error: {reason}: {detail}\n")
    return int(getattr(arguments, "failed", 1))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m services.api.admin", description=admin.__doc__)
    nouns = parser.add_subparsers(required=True, metavar="NOUN")
    for module in (databases, tokens, quotas, verifying, backups):
        module.add(nouns)
    return parser


if __name__ == "__main__":
    sys.exit(main())
