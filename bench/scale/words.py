"""What the two databases say differently when they make rows out of numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Uuid, literal, select
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from services.api.db.types import UtcDateTime

if TYPE_CHECKING:
    from sqlalchemy import CTE
    from sqlalchemy.sql.compiler import SQLCompiler


class uuid_of(FunctionElement[Any]):  # noqa: N801 - a function of SQL
    """A UUIDv7 of milliseconds (RFC 9562 §5.7), a kind and a number in the place of random bits."""

    name = "uuid_of"
    type = Uuid()
    inherit_cache = True


class moment_of(FunctionElement[Any]):  # noqa: N801 - a function of SQL
    """The moment of so many milliseconds since 1970."""

    name = "moment_of"
    type = UtcDateTime()
    inherit_cache = True


@compiles(uuid_of, "sqlite")
def _(element: uuid_of, compiler: SQLCompiler, **words: Any) -> str:
    return f"printf('%012x70008%03x%012x', {compiler.process(element.clauses, **words)})"


@compiles(uuid_of, "postgresql")
def _(element: uuid_of, compiler: SQLCompiler, **words: Any) -> str:
    at, kind, number = (compiler.process(each, **words) for each in element.clauses)
    digits = f"lpad(to_hex({at}), 12, '0') || '70008' || lpad(to_hex({kind}), 3, '0')"
    return f"({digits} || lpad(to_hex({number}), 12, '0'))::uuid"


@compiles(moment_of, "sqlite")
def _(element: moment_of, compiler: SQLCompiler, **words: Any) -> str:
    at = compiler.process(element.clauses, **words)
    # As SQLAlchemy writes it, with microseconds.
    return f"strftime('%Y-%m-%d %H:%M:%f000', ({at}) / 1000.0, 'unixepoch')"


@compiles(moment_of, "postgresql")
def _(element: moment_of, compiler: SQLCompiler, **words: Any) -> str:
    return f"to_timestamp(({compiler.process(element.clauses, **words)}) / 1000.0)"


def series(numbers: range) -> CTE:
    """These numbers, as the column ``n``."""
    first = select(literal(numbers.start, BigInteger).label("n")).cte("series", recursive=True)
    more = select(first.c.n + 1).where(first.c.n < literal(numbers.stop - 1, BigInteger))
    return first.union_all(more)
