"""Tasks know their precision and where their targets belong; creates of a day are counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_COLUMNS = (
    ("precision", sa.Integer()),
    ("product_id", sa.Uuid()),
    ("distributor_id", sa.Uuid()),
)
_LINKS = ("product_id", "distributor_id")
_OF_PRODUCTS = ("tracks", "videos", "asset_attachments")


def upgrade() -> None:
    """Go forward."""
    for name, type_ in _COLUMNS:
        op.add_column("import_tasks", sa.Column(name, type_))
    for table in _OF_PRODUCTS:
        _fill("product_id", "product_id", table, "target_id")
    _fill("product_id", "id", "products", "target_id")
    _fill("distributor_id", "distributor_id", "products", "product_id")
    for link in _LINKS:
        is_linked = sa.text(f"{link} IS NOT NULL")
        op.create_index(
            f"ix_import_tasks_tenant_{link}_id",
            "import_tasks",
            ["tenant", link, "id"],
            sqlite_where=is_linked,
            postgresql_where=is_linked,
        )
    _count()
    op.create_table(
        "daily_creates",
        sa.Column("tenant", sa.String(length=63), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", name="pk_daily_creates"),
    )


def _fill(column: str, value: str, table: str, key: str) -> None:
    """Copy a value of what a column of the tasks leads to."""
    op.execute(
        f"UPDATE import_tasks SET {column} = {table}.{value} FROM {table} "  # noqa: S608 - names of ours
        f"WHERE {table}.id = import_tasks.{key} AND {table}.tenant = import_tasks.tenant"
    )


def _count() -> None:
    """Count the tasks of each distributor, by master type."""
    hex_ = "replace(CAST(distributor_id AS VARCHAR), '-', '')"
    op.execute(
        "INSERT INTO totals (tenant, collection, status, n) "  # noqa: S608 - names of ours
        f"SELECT tenant, 'of.' || master_type, {hex_}, count(*) FROM import_tasks "
        f"WHERE distributor_id IS NOT NULL GROUP BY tenant, master_type, {hex_}"
    )


def downgrade() -> None:
    """Go back."""
    op.drop_table("daily_creates")
    op.execute("DELETE FROM totals WHERE collection LIKE 'of.%'")
    for link in _LINKS:
        op.drop_index(f"ix_import_tasks_tenant_{link}_id", "import_tasks")
    for name, _ in reversed(_COLUMNS):
        op.drop_column("import_tasks", name)
