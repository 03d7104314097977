"""One API for each SQLite file: a second one would know nothing of the first one's commits."""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from services.api.db.engine import is_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def alone(url: str) -> Iterator[None]:
    """Keep other APIs from a SQLite file; PostgreSQL is for all. Commands may still open it.

    The lock is on a file beside it, because closing the database's own file would end SQLite's
    locks. It goes when the process does, however it ends. Raises RuntimeError when another API has
    it, and OSError.
    """
    path = make_url(url).database
    if not is_sqlite(url) or not path:
        yield
        return
    database = Path(path)
    with database.with_name(f"{database.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(
                f"another API has {database} open; SQLite is for one, several need PostgreSQL"
            ) from None
        yield
