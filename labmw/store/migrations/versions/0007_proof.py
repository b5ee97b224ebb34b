"""Delivery that can be proven: what was answered with no, and what is sent again."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# fmt: off
# A migration is a record of what was done: it does not import the schema, which moves on.


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "receipt",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("outbox", BIG, nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["outbox"], ["outbox.id"], name="fk_receipt_outbox"),
        sa.PrimaryKeyConstraint("id", name="pk_receipt"),
    )
    op.create_index("ix_receipt_outbox", "receipt", ["outbox"])

    op.create_table(
        "redelivery",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("outbox", BIG, nullable=False),
        sa.Column("earlier", BIG, nullable=False),
        sa.Column("result", BIG, nullable=False),
        sa.ForeignKeyConstraint(["earlier"], ["outbox.id"], name="fk_redelivery_earlier"),
        sa.ForeignKeyConstraint(["outbox"], ["outbox.id"], name="fk_redelivery_outbox"),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_redelivery_result"),
        sa.PrimaryKeyConstraint("id", name="pk_redelivery"),
        sa.UniqueConstraint("site", "outbox", "result", name="uq_redelivery_site_outbox_result"),
    )
    op.create_index("ix_redelivery_outbox", "redelivery", ["outbox"])
    op.create_index("ix_redelivery_result", "redelivery", ["result"])
