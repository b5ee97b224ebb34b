"""Queries of ASTM analyzers, and what they were answered."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# fmt: off
# A migration is a record of what was done: it does not import the schema, which moves on.


def upgrade() -> None:
    """Make the table of queries. Those that came before were never answered and are not taken up."""
    op.create_table(
        "host_query",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("tubes", sa.Text(), server_default="", nullable=False),
        sa.Column("said", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("control_id", sa.Text(), server_default="", nullable=False),
        sa.Column("asked_at", sa.Text(), nullable=False),
        sa.Column("answered_at", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_host_query"),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_host_query_message"),
        sa.UniqueConstraint("site", "message", name="uq_host_query_site_message"),
    )
    is_open, named = sa.text("closed_at IS NULL"), sa.text("control_id <> ''")
    op.create_index("ix_host_query_open", "host_query", ["site", "link", "id"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_index("ix_host_query_control_id", "host_query", ["site", "control_id"], sqlite_where=named, postgresql_where=named)
