"""The first schema: the wire, who and what, results, and what becomes of them."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# fmt: off
# A migration is a record of what was done: it does not import the schema, which moves on.


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "audit",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_index("ix_audit_site_subject", "audit", ["site", "subject"])

    op.create_table(
        "journal",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_journal"),
    )
    op.create_index("ix_journal_site_session", "journal", ["site", "session"])

    op.create_table(
        "link_state",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("connected", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("peer", sa.Text(), server_default="", nullable=False),
        sa.Column("since", sa.Text(), nullable=True),
        sa.Column("heard_at", sa.Text(), nullable=True),
        sa.Column("message_at", sa.Text(), nullable=True),
        sa.Column("refused_in_row", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("trouble", sa.Text(), server_default="", nullable=False),
        sa.Column("facts", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_link_state"),
        sa.UniqueConstraint("site", "link", name="uq_link_state_site_link"),
    )

    op.create_table(
        "material",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("lot", sa.Text(), server_default="", nullable=False),
        sa.Column("valid_from", sa.Text(), server_default="", nullable=False),
        sa.Column("valid_to", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_material"),
        sa.UniqueConstraint("site", "identifier", "lot", name="uq_material_site_identifier_lot"),
    )

    op.create_table(
        "message",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), server_default="", nullable=False),
        sa.Column("first_frame", sa.Integer(), nullable=True),
        sa.Column("last_frame", sa.Integer(), nullable=True),
        sa.Column("place", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("protocol", sa.Text(), nullable=False),
        sa.Column("peer", sa.Text(), server_default="", nullable=False),
        sa.Column("received_at", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("control_id", sa.Text(), server_default="", nullable=False),
        sa.Column("sender", sa.Text(), server_default="", nullable=False),
        sa.Column("driver", sa.Text(), server_default="", nullable=False),
        sa.Column("driver_version", sa.Text(), server_default="", nullable=False),
        sa.Column("mapping_version", sa.Text(), server_default="", nullable=False),
        sa.Column("software_version", sa.Text(), server_default="", nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("terminated", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("disposition", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("facts", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("tolerances", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_message"),
    )
    op.create_index("ix_message_control_id", "message", ["site", "link", "control_id"], sqlite_where=sa.text("control_id <> ''"), postgresql_where=sa.text("control_id <> ''"))
    op.create_index("ix_message_site_session_last_frame", "message", ["site", "session", "last_frame"])

    op.create_table(
        "order",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("specimen", sa.Text(), nullable=False),
        sa.Column("loinc", sa.Text(), nullable=False),
        sa.Column("placer", sa.Text(), server_default="", nullable=False),
        sa.Column("filler", sa.Text(), server_default="", nullable=False),
        sa.Column("priority", sa.Text(), server_default="R", nullable=False),
        sa.Column("ordered_at", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_order"),
        sa.UniqueConstraint("site", "specimen", "loinc", "placer", name="uq_order_site_specimen_loinc_placer"),
    )

    op.create_table(
        "patient",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), server_default="", nullable=False),
        sa.Column("given", sa.Text(), server_default="", nullable=False),
        sa.Column("birth", sa.Text(), server_default="", nullable=False),
        sa.Column("sex", sa.Text(), server_default="", nullable=False),
        sa.Column("pid", sa.Text(), server_default="", nullable=False),
        sa.Column("updated_at", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_patient"),
        sa.UniqueConstraint("site", "identifier", name="uq_patient_site_identifier"),
    )

    op.create_table(
        "previous",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("loinc", sa.Text(), nullable=False),
        sa.Column("completed_at", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("comparator", sa.Text(), server_default="", nullable=False),
        sa.Column("unit", sa.Text(), server_default="", nullable=False),
        sa.Column("analyzer", sa.Text(), server_default="", nullable=False),
        sa.Column("method", sa.Text(), server_default="", nullable=False),
        sa.Column("laboratory", sa.Text(), server_default="", nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_previous"),
    )
    op.create_index("ix_previous_site_patient_loinc_completed_at", "previous", ["site", "patient", "loinc", "completed_at"])

    op.create_table(
        "session",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("peer", sa.Text(), server_default="", nullable=False),
        sa.Column("opened_at", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.Column("closing", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("site", "id", name="pk_session"),
    )
    op.create_index("ix_session_open", "session", ["site", "opened_at"], sqlite_where=sa.text("closed_at IS NULL"), postgresql_where=sa.text("closed_at IS NULL"))

    op.create_table(
        "specimen",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="", nullable=False),
        sa.Column("valid_from", sa.Text(), server_default="", nullable=False),
        sa.Column("valid_to", sa.Text(), nullable=True),
        sa.Column("patient", sa.Text(), server_default="", nullable=False),
        sa.Column("collected", sa.Text(), nullable=True),
        sa.Column("ward", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_specimen"),
        sa.UniqueConstraint("site", "identifier", "kind", "valid_from", name="uq_specimen_site_identifier_kind_valid_from"),
    )
    op.create_index("ix_specimen_site_patient", "specimen", ["site", "patient"])

    op.create_table(
        "frame",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("last", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["site", "session"], ["session.site", "session.id"], name="fk_frame_site_session"),
        sa.PrimaryKeyConstraint("id", name="pk_frame"),
        sa.UniqueConstraint("site", "session", "seq", name="uq_frame_site_session_seq"),
    )

    op.create_table(
        "outbox",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("control_id", sa.Text(), nullable=False),
        sa.Column("specimen", sa.Text(), server_default="", nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("state", sa.Text(), server_default="waiting", nullable=False),
        sa.Column("priority", sa.Text(), server_default="R", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.Text(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("delivered_at", sa.Text(), nullable=True),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("receipt", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_outbox_message"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("site", "control_id", name="uq_outbox_site_control_id"),
    )
    op.create_index("ix_outbox_next", "outbox", ["site", "destination", sa.text("priority DESC"), "id"], sqlite_where=sa.text("state <> 'delivered'"), postgresql_where=sa.text("state <> 'delivered'"))
    op.create_index("ix_outbox_site_specimen", "outbox", ["site", "specimen"])

    op.create_table(
        "result",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("record", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("ordinal", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("analyzer", sa.Text(), server_default="", nullable=False),
        sa.Column("serial", sa.Text(), server_default="", nullable=False),
        sa.Column("specimen", sa.Text(), server_default="", nullable=False),
        sa.Column("patient", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("run", sa.Text(), server_default="", nullable=False),
        sa.Column("loinc", sa.Text(), server_default="", nullable=False),
        sa.Column("test_name", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.Text(), server_default="", nullable=False),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("comparator", sa.Text(), server_default="", nullable=False),
        sa.Column("unit", sa.Text(), server_default="", nullable=False),
        sa.Column("unit_raw", sa.Text(), server_default="", nullable=False),
        sa.Column("range_raw", sa.Text(), server_default="", nullable=False),
        sa.Column("flags_raw", sa.Text(), server_default="", nullable=False),
        sa.Column("flags", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.Column("operator", sa.Text(), server_default="", nullable=False),
        sa.Column("completed_raw", sa.Text(), server_default="", nullable=False),
        sa.Column("completed_at", sa.Text(), nullable=True),
        sa.Column("received_at", sa.Text(), nullable=False),
        sa.Column("main", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("serum_index", sa.Text(), server_default="", nullable=False),
        sa.Column("comments", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("driver", sa.Text(), server_default="", nullable=False),
        sa.Column("driver_version", sa.Text(), server_default="", nullable=False),
        sa.Column("mapping_version", sa.Text(), server_default="", nullable=False),
        sa.Column("analyzer_software", sa.Text(), server_default="", nullable=False),
        sa.Column("software_version", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_result_message"),
        sa.PrimaryKeyConstraint("id", name="pk_result"),
        sa.UniqueConstraint("site", "identity", "run", name="uq_result_site_identity_run"),
    )
    op.create_index("ix_result_message", "result", ["message"])
    op.create_index(
        "ix_result_history", "result", ["site", "patient", "loinc", "completed_at"],
        sqlite_where=sa.text("state IN ('released', 'delivered')"), postgresql_where=sa.text("state IN ('released', 'delivered')"),
    )
    op.create_index("ix_result_site_specimen_code", "result", ["site", "specimen", "code"])
    op.create_index("ix_result_site_state", "result", ["site", "state"])

    op.create_table(
        "work",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), server_default="verify", nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("due_at", sa.Text(), nullable=False),
        sa.Column("claimed_by", sa.Text(), nullable=True),
        sa.Column("claimed_until", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_work_message"),
        sa.PrimaryKeyConstraint("id", name="pk_work"),
    )
    op.create_index("ix_work_site_kind_due_at", "work", ["site", "kind", "due_at"])

    op.create_table(
        "alert",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("result", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("raised_at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.Column("closed_by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_alert_result"),
        sa.PrimaryKeyConstraint("id", name="pk_alert"),
        sa.UniqueConstraint("site", "result", "kind", name="uq_alert_site_result_kind"),
    )
    op.create_index("ix_alert_open", "alert", ["site", "raised_at"], sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"))

    op.create_table(
        "outbox_result",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("outbox", BIG, nullable=False),
        sa.Column("result", BIG, nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["outbox"], ["outbox.id"], name="fk_outbox_result_outbox"),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_outbox_result_result"),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_result"),
        sa.UniqueConstraint("site", "destination", "result", name="uq_outbox_result_site_destination_result"),
    )
    op.create_index("ix_outbox_result_outbox", "outbox_result", ["outbox"])
    op.create_index("ix_outbox_result_result", "outbox_result", ["result"])

    op.create_table(
        "quarantine",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("result", BIG, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("raised_at", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="open", nullable=False),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.Column("closed_by", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_quarantine_message"),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_quarantine_result"),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
    )
    op.create_index("ix_quarantine_message", "quarantine", ["message"])
    op.create_index("ix_quarantine_open", "quarantine", ["site", "raised_at"], sqlite_where=sa.text("state = 'open'"), postgresql_where=sa.text("state = 'open'"))
    op.create_index("ix_quarantine_result", "quarantine", ["result"], sqlite_where=sa.text("result IS NOT NULL"), postgresql_where=sa.text("result IS NOT NULL"))

    op.create_table(
        "repeat",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("result", BIG, nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("record", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("seen_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_repeat_message"),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_repeat_result"),
        sa.PrimaryKeyConstraint("id", name="pk_repeat"),
    )
    op.create_index("ix_repeat_message", "repeat", ["message"])
    op.create_index("ix_repeat_result", "repeat", ["result"])

    op.create_table(
        "verdict",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("result", BIG, nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("reasons", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("trace", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("packs", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("comments", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("decided_at", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_verdict_result"),
        sa.PrimaryKeyConstraint("id", name="pk_verdict"),
    )
    op.create_index("ix_verdict_result", "verdict", ["result"])
