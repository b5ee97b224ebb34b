"""Which analyzers have spoken on a line, and what makes a result's time doubtful."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# fmt: off
# A migration is a record of what was done: it does not import the schema, which moves on.


def upgrade() -> None:
    """Make the tables of analyzers and doubts. Who spoke before is met again, and taken for the first of its line."""
    op.create_table(
        "analyzer",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("software", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message", BIG, nullable=True),
        sa.Column("decided_at", sa.Text(), nullable=True),
        sa.Column("decided_by", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_analyzer"),
        sa.UniqueConstraint("site", "link", "serial", "software", name="uq_analyzer_site_link_serial_software"),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index("ix_analyzer_waiting", "analyzer", ["site", "link"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "doubt",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("result", BIG, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_doubt_result"),
        sa.PrimaryKeyConstraint("id", name="pk_doubt"),
        sa.UniqueConstraint("site", "result", "code", name="uq_doubt_site_result_code"),
    )
    op.create_index("ix_doubt_result", "doubt", ["result"])
