"""Application replies that follow a commit acknowledgment, and work that an analyzer has committed and not answered."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# fmt: off
# A migration is a record of what was done: it does not import the schema, which moves on.


def upgrade() -> None:
    """Make the table of owed replies, and find committed work by index. Before, nothing was ever owed after an acknowledgment."""
    op.create_table(
        "owed_reply",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("control_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("confirm", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("sends", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_owed_reply"),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_owed_reply_message"),
        sa.UniqueConstraint("site", "message", name="uq_owed_reply_site_message"),
    )
    is_open, committed = sa.text("closed_at IS NULL"), sa.text("waits = 2")
    op.create_index("ix_owed_reply_open", "owed_reply", ["site", "link", "id"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_index("ix_owed_reply_site_control_id", "owed_reply", ["site", "control_id"])
    op.create_index("ix_awos_committed", "awos", ["site", "link", "id"], sqlite_where=committed, postgresql_where=committed)
