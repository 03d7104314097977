"""The catalogue becomes whole, and its items and the tasks are numbered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from services.api.db.types import UtcDateTime

revision = "0010"
down_revision = "0009"

_NUMBERED = (("tracks", "tracks"), ("import_tasks", "importTasks"))
_TITLE = ("title", 255)
_NAME = ("display_name", 255)
_SUPPORT_NUMBER = ("support_number", 64)
_NOUNS = (
    ("distributors", (_NAME,), ()),
    ("products", (_TITLE, _SUPPORT_NUMBER), ("distributor_id",)),
    ("videos", (_TITLE, _SUPPORT_NUMBER), ("product_id",)),
    ("asset_attachments", (_TITLE, _SUPPORT_NUMBER), ("product_id",)),
    ("collections", (_TITLE,), ()),
    ("creators", (_NAME,), ()),
)
_OF_TRACKS = (_SUPPORT_NUMBER, ("index", 64), ("path", 512))
_LINKS_OF_TRACKS = ("product_id", "collection_id")


def upgrade() -> None:
    """Go forward."""
    op.create_table(
        "numbers",
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("collection", sa.String(length=32), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "collection", name="pk_numbers"),
    )
    for name, texts, links in _NOUNS:
        _create(name, texts, links)
    for name, length in _OF_TRACKS:
        op.add_column("tracks", sa.Column(name, sa.String(length=length)))
    for link in _LINKS_OF_TRACKS:
        op.add_column("tracks", sa.Column(link, sa.Uuid()))
        _index_link("tracks", link)
    for table, collection in _NUMBERED:
        op.add_column(table, sa.Column("number", sa.BigInteger()))
        _number(table, collection)
        _index_number(table)


def _create(name: str, texts: tuple[tuple[str, int], ...], links: tuple[str, ...]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("number", sa.BigInteger()),
        *(
            sa.Column(text, sa.String(length=length), nullable=text == _SUPPORT_NUMBER[0])
            for text, length in texts
        ),
        *(sa.Column(link, sa.Uuid()) for link in links),
        sa.PrimaryKeyConstraint("id", name=f"pk_{name}"),
    )
    op.create_index(f"ix_{name}_tenant_id", name, ["tenant", "id"])
    op.create_index(f"ix_{name}_tenant_updated_at_id", name, ["tenant", "updated_at", "id"])
    _index_number(name)
    for link in links:
        _index_link(name, link)


def _index_number(table: str) -> None:
    op.create_index(f"uq_{table}_number", table, ["tenant", "number"], unique=True)


def _index_link(table: str, link: str) -> None:
    is_linked = sa.text(f"{link} IS NOT NULL")
    op.create_index(
        f"ix_{table}_tenant_{link}_id",
        table,
        ["tenant", link, "id"],
        sqlite_where=is_linked,
        postgresql_where=is_linked,
    )


def _number(table: str, collection: str) -> None:
    """Number what there is, of each tenant from 1 in order of age."""
    op.execute(
        f"UPDATE {table} SET number = counted.n FROM ("  # noqa: S608 - names of ours
        "SELECT id, row_number() OVER (PARTITION BY tenant ORDER BY id) AS n "
        f"FROM {table}) AS counted WHERE counted.id = {table}.id"
    )
    op.execute(
        "INSERT INTO numbers (tenant, collection, next) "  # noqa: S608 - names of ours
        f"SELECT tenant, '{collection}', max(number) + 1 FROM {table} GROUP BY tenant"
    )


def downgrade() -> None:
    """Go back."""
    for table, _ in _NUMBERED:
        op.drop_index(f"uq_{table}_number", table)
        op.drop_column(table, "number")
    for link in _LINKS_OF_TRACKS:
        op.drop_index(f"ix_tracks_tenant_{link}_id", "tracks")
        op.drop_column("tracks", link)
    for name, _ in _OF_TRACKS:
        op.drop_column("tracks", name)
    for name, _, _ in _NOUNS:
        op.drop_table(name)
    op.drop_table("numbers")
