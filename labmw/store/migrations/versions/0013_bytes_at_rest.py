"""Keys of bytes at rest; what is there already stays as it lies until `labmw store encrypt`."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# fmt: off
# A migration is a record of what was done: it does not import the schema, which moves on.


def upgrade() -> None:
    """Make the tables of keys, and say of what is there that no key encrypts it."""
    op.create_table(
        "store_key",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("made_at", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.Text(), nullable=True),
        sa.Column("given", BIG, nullable=False),
        sa.Column("open_until", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_store_key"),
        sa.UniqueConstraint("site", "name", name="uq_store_key_site_name"),
    )
    op.create_table(
        "data_key",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("store_key", sa.Text(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_data_key"),
    )
    for table in ("journal", "frame", "message", "receipt", "sub_order_item", "partner_document"):
        op.add_column(table, sa.Column("data_key", BIG, nullable=True))
    op.add_column("message", sa.Column("reply_key", BIG, nullable=True))
    for column in ("payload_key", "receipt_key"):
        op.add_column("outbox", sa.Column(column, BIG, nullable=True))
