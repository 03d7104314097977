"""The tables of the catalogue, made from the declarations of its nouns, and of their numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, Column, Index, String, Table, Uuid, text

from services.api.db.naming import metadata
from services.api.db.types import Json, UtcDateTime
from services.api.domain.nouns import NOUNS, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from services.api.domain.nouns import Field, Noun

_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_ISRC_LENGTH = 12
_NAMES = {"stereo_duration": "stereo_microseconds"}


def column_name(field: Field) -> str:
    """The name of a field's column; a length of time is in microseconds there."""
    return _NAMES.get(field.name, field.name)


def _field(field: Field) -> Column[Any]:
    match field.kind:
        case Kind.LINE | Kind.KEY:
            return Column(field.name, String(field.limit), nullable=not field.required)
        case Kind.ISRC:
            return Column(field.name, String(_ISRC_LENGTH))
        case Kind.SECONDS:
            return Column(column_name(field), BigInteger)
        case Kind.OBJECT:
            return Column(field.name, Json)


def _indexes(noun: Noun[Any], name: str) -> Iterator[Index]:
    yield Index(None, "tenant", "id")
    yield Index(None, "tenant", "updated_at", "id")
    yield Index(f"uq_{name}_number", "tenant", "number", unique=True)
    for each in noun.references:
        is_linked = text(f"{each.attribute} IS NOT NULL")
        yield Index(
            None,
            "tenant",
            each.attribute,
            "id",
            sqlite_where=is_linked,
            postgresql_where=is_linked,
        )


def _table(noun: Noun[Any]) -> Table:
    name = _HUMP.sub("_", noun.collection).lower()
    return Table(
        name,
        metadata,
        Column("id", Uuid, primary_key=True),
        Column("tenant", String(63), nullable=False),
        Column("version", BigInteger, nullable=False, server_default="1"),
        Column("created_at", UtcDateTime, nullable=False),
        Column("updated_at", UtcDateTime, nullable=False),
        # Null for what a version before numbers made.
        Column("number", BigInteger),
        *map(_field, noun.fields),
        # No foreign keys: whoever writes a reference pins what it leads to, as tasks do.
        *(Column(each.attribute, Uuid) for each in noun.references),
        *([Column("cover_id", Uuid)] if noun.has_cover else []),
        *_indexes(noun, name),
    )


TABLES: Mapping[str, Table] = {noun.collection: _table(noun) for noun in NOUNS}
"""By collection."""

numbers = Table(
    "numbers",
    metadata,
    Column("tenant", String(63), primary_key=True),
    Column("collection", String(32), primary_key=True),
    # The first number that no replica has taken yet.
    Column("next", BigInteger, nullable=False),
)
