"""The LIS: what orders were sent with, identities and what happened to them, typed orders, tasks, what the LIS holds."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# fmt: off
# A migration is a record of what was done: it does not import the schema, which moves on.

def upgrade() -> None:
    """Make the tables of the LIS, and let a previous result be there once."""
    op.execute(
        "DELETE FROM previous WHERE id NOT IN (SELECT min(id) FROM previous "
        "GROUP BY site, patient, loinc, completed_at, comparator, number, unit, laboratory)"
    )
    op.create_index("ix_previous_once", "previous", ["site", "patient", "loinc", "completed_at", "comparator", "number", "unit", "laboratory"], unique=True)
    op.create_index("ix_order_placer", "order", ["site", "placer"], sqlite_where=sa.text("placer <> ''"), postgresql_where=sa.text("placer <> ''"))

    op.create_table(
        "order_origin",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("order", BIG, nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("placer_authority", sa.Text(), server_default="", nullable=False),
        sa.Column("filler_authority", sa.Text(), server_default="", nullable=False),
        sa.Column("orc", sa.Text(), server_default="", nullable=False),
        sa.Column("obr", sa.Text(), server_default="", nullable=False),
        sa.Column("spm", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_order_origin_message"),
        sa.ForeignKeyConstraint(["order"], ["order.id"], name="fk_order_origin_order"),
        sa.PrimaryKeyConstraint("id", name="pk_order_origin"),
        sa.UniqueConstraint("site", "order", name="uq_order_origin_site_order"),
    )

    op.create_table(
        "ins",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("oid", sa.Text(), nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_ins_message"),
        sa.PrimaryKeyConstraint("id", name="pk_ins"),
        sa.UniqueConstraint("site", "patient", name="uq_ins_site_patient"),
    )
    op.create_index("ix_ins_site_number", "ins", ["site", "number"])

    op.create_table(
        "message_patient",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_message_patient_message"),
        sa.PrimaryKeyConstraint("id", name="pk_message_patient"),
        sa.UniqueConstraint("site", "patient", "message", name="uq_message_patient_site_patient_message"),
    )

    op.create_table(
        "patient_history",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("message", BIG, nullable=True),
        sa.Column("detail", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_patient_history_message"),
        sa.PrimaryKeyConstraint("id", name="pk_patient_history"),
    )
    op.create_index("ix_patient_history_site_patient", "patient_history", ["site", "patient"])

    op.create_table(
        "patient_alias",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_patient_alias_message"),
        sa.PrimaryKeyConstraint("id", name="pk_patient_alias"),
        sa.UniqueConstraint("site", "identifier", name="uq_patient_alias_site_identifier"),
    )
    op.create_index("ix_patient_alias_site_patient", "patient_alias", ["site", "patient"])

    op.create_table(
        "provisional",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("specimen", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("birth", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), server_default="", nullable=False),
        sa.Column("typed_by", sa.Text(), nullable=False),
        sa.Column("typed_at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("settled_at", sa.Text(), nullable=True),
        sa.Column("message", BIG, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_provisional"),
    )
    op.create_index("ix_provisional_open", "provisional", ["site", "specimen"], sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"))

    op.create_table(
        "task",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("specimen", sa.Text(), server_default="", nullable=False),
        sa.Column("facts", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("raised_at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.Column("closed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_task"),
        sa.UniqueConstraint("site", "kind", "subject", name="uq_task_site_kind_subject"),
    )
    op.create_index("ix_task_open", "task", ["site", "raised_at"], sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"))

    op.create_table(
        "withdrawal",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("result", BIG, nullable=False),
        sa.Column("outbox", BIG, nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_withdrawal_result"),
        sa.ForeignKeyConstraint(["outbox"], ["outbox.id"], name="fk_withdrawal_outbox"),
        sa.PrimaryKeyConstraint("id", name="pk_withdrawal"),
        sa.UniqueConstraint("site", "result", "outbox", name="uq_withdrawal_site_result_outbox"),
    )
    op.create_index("ix_withdrawal_outbox", "withdrawal", ["outbox"])

    op.create_table(
        "lis_holds",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("specimen", sa.Text(), nullable=False),
        sa.Column("loinc", sa.Text(), nullable=False),
        sa.Column("placer", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.Text(), server_default="", nullable=False),
        sa.Column("comparator", sa.Text(), server_default="", nullable=False),
        sa.Column("unit", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_lis_holds_message"),
        sa.PrimaryKeyConstraint("id", name="pk_lis_holds"),
        sa.UniqueConstraint("site", "specimen", "loinc", "placer", name="uq_lis_holds_site_specimen_loinc_placer"),
    )
