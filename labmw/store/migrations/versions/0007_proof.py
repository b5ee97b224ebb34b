"""Delivery that can be proven: what was answered with no, what is sent again, what is looked for afterwards."""

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

    op.create_table(
        "lookback",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), server_default="", nullable=False),
        sa.Column("before", sa.Text(), server_default="", nullable=False),
        sa.Column("opened_at", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_lookback"),
    )
    op.create_index("ix_lookback_open", "lookback", ["site", "opened_at"], sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"))

    op.create_table(
        "lookback_line",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("lookback", BIG, nullable=False),
        sa.Column("result", BIG, nullable=False),
        sa.Column("patient", sa.Text(), server_default="", nullable=False),
        sa.Column("specimen", sa.Text(), server_default="", nullable=False),
        sa.Column("found", sa.Text(), server_default="", nullable=False),
        sa.Column("told", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.Column("closed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["lookback"], ["lookback.id"], name="fk_lookback_line_lookback"),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_lookback_line_result"),
        sa.PrimaryKeyConstraint("id", name="pk_lookback_line"),
        sa.UniqueConstraint("site", "lookback", "result", name="uq_lookback_line_site_lookback_result"),
    )
    op.create_index("ix_lookback_line_lookback", "lookback_line", ["lookback"])
    op.create_index("ix_lookback_line_result", "lookback_line", ["result"])

    op.create_table(
        "legal_hold",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("released_at", sa.Text(), nullable=True),
        sa.Column("released_by", sa.Text(), server_default="", nullable=False),
        sa.Column("released_why", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_legal_hold"),
    )
    op.create_index("ix_legal_hold_site_patient", "legal_hold", ["site", "patient"])

    op.create_table(
        "certificate",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("began_at", sa.Text(), nullable=False),
        sa.Column("signed_by", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("signed_at", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("tombstones", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_certificate"),
        sa.UniqueConstraint("site", "plan", name="uq_certificate_site_plan"),
    )

    op.create_table(
        "tombstone",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("certificate", BIG, nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("row", BIG, nullable=True),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["certificate"], ["certificate.id"], name="fk_tombstone_certificate"),
        sa.PrimaryKeyConstraint("id", name="pk_tombstone"),
    )
    op.create_index("ix_tombstone_certificate", "tombstone", ["certificate"])
    op.create_index("ix_tombstone_site_kind_row", "tombstone", ["site", "kind", "row"])
