"""What the embedded stack has done before it serves: this version's tables, and a token.

The API does it itself, because a process of its own for it would load nearly all that the API does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.api.db.migrations import upgrade
from services.api.domain.errors import Unauthenticated, Unavailable
from services.api.domain.principal import ADMIN
from shared.private import write_private

if TYPE_CHECKING:
    from pathlib import Path

    from services.api.use_cases.tokens import Tokens

TENANT = "default"
NAME = "local"


async def prepare(tokens: Tokens, token_file: Path) -> None:
    """Bring the tables to this version, and have a token in the file that may do everything.

    One of an earlier start stays while it is good. Raises Unavailable, WrongTables, OSError.
    """
    await upgrade(tokens.executor.engines)
    if not await _is_good(tokens, _kept(token_file)):
        write_private(token_file, await tokens.issue(TENANT, NAME, [ADMIN]))


def _kept(token_file: Path) -> str | None:
    return token_file.read_text() if token_file.exists() else None


async def _is_good(tokens: Tokens, token: str | None) -> bool:
    try:
        await tokens.authenticate(token)
    except Unauthenticated:
        return False
    except Unavailable:  # an identity provider that does not answer has not refused it
        return True
    return True
