"""Other laboratories: sub-orders and what happened to them, results they performed, documents, boxes, catalogues, files."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# fmt: off
# A migration is a record of what was done: it does not import the schema, which moves on.


def upgrade() -> None:
    """Make the tables of the work with other laboratories."""
    op.create_table(
        "box",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("temperature", sa.Text(), server_default="", nullable=False),
        sa.Column("courier", sa.Text(), server_default="", nullable=False),
        sa.Column("tracking", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.Text(), nullable=False),
        sa.Column("shipped_at", sa.Text(), nullable=True),
        sa.Column("received_at", sa.Text(), nullable=True),
        sa.Column("by", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_box"),
        sa.UniqueConstraint("site", "partner", "number", name="uq_box_site_partner_number"),
    )
    op.create_table(
        "sub_order",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("authority", sa.Text(), server_default="", nullable=False),
        sa.Column("filler", sa.Text(), server_default="", nullable=False),
        sa.Column("filler_authority", sa.Text(), server_default="", nullable=False),
        sa.Column("group_number", sa.Text(), server_default="", nullable=False),
        sa.Column("group_authority", sa.Text(), server_default="", nullable=False),
        sa.Column("specimen", sa.Text(), server_default="", nullable=False),
        sa.Column("patient", sa.Text(), server_default="", nullable=False),
        sa.Column("service", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("tests", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("missing", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("priority", sa.Text(), server_default="R", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("before", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("reason_text", sa.Text(), server_default="", nullable=False),
        sa.Column("parent", sa.Text(), server_default="", nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("box", BIG, nullable=True),
        sa.Column("due_at", sa.Text(), nullable=True),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.Text(), nullable=True),
        sa.Column("received_at", sa.Text(), nullable=True),
        sa.Column("resulted_at", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_sub_order_message"),
        sa.PrimaryKeyConstraint("id", name="pk_sub_order"),
        sa.UniqueConstraint("site", "role", "partner", "number", name="uq_sub_order_site_role_partner_number"),
    )
    op.create_index("ix_sub_order_open", "sub_order", ["site", "due_at"], sqlite_where=sa.text("closed_at IS NULL"), postgresql_where=sa.text("closed_at IS NULL"))
    op.create_index("ix_sub_order_site_specimen", "sub_order", ["site", "specimen"])
    op.create_table(
        "sub_order_order",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("sub_order", BIG, nullable=False),
        sa.Column("order", BIG, nullable=False),
        sa.ForeignKeyConstraint(["order"], ["order.id"], name="fk_sub_order_order_order"),
        sa.ForeignKeyConstraint(["sub_order"], ["sub_order.id"], name="fk_sub_order_order_sub_order"),
        sa.PrimaryKeyConstraint("id", name="pk_sub_order_order"),
        sa.UniqueConstraint("site", "order", "sub_order", name="uq_sub_order_order_site_order_sub_order"),
    )
    op.create_index("ix_sub_order_order_sub_order", "sub_order_order", ["sub_order"])
    op.create_table(
        "sub_order_event",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("sub_order", BIG, nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message", BIG, nullable=True),
        sa.Column("by", sa.Text(), server_default="", nullable=False),
        sa.Column("why", sa.Text(), server_default="", nullable=False),
        sa.Column("facts", sa.Text(), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_sub_order_event_message"),
        sa.ForeignKeyConstraint(["sub_order"], ["sub_order.id"], name="fk_sub_order_event_sub_order"),
        sa.PrimaryKeyConstraint("id", name="pk_sub_order_event"),
    )
    op.create_index("ix_sub_order_event_sub_order", "sub_order_event", ["sub_order"])
    op.create_table(
        "sub_order_said",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("outbox", BIG, nullable=False),
        sa.Column("sub_order", BIG, nullable=False),
        sa.Column("control", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["outbox"], ["outbox.id"], name="fk_sub_order_said_outbox"),
        sa.ForeignKeyConstraint(["sub_order"], ["sub_order.id"], name="fk_sub_order_said_sub_order"),
        sa.PrimaryKeyConstraint("id", name="pk_sub_order_said"),
        sa.UniqueConstraint("site", "outbox", "sub_order", name="uq_sub_order_said_site_outbox_sub_order"),
    )
    op.create_index("ix_sub_order_said_sub_order", "sub_order_said", ["sub_order"])
    op.create_table(
        "sub_order_item",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("sub_order", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("media", sa.Text(), server_default="", nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["sub_order"], ["sub_order.id"], name="fk_sub_order_item_sub_order"),
        sa.PrimaryKeyConstraint("id", name="pk_sub_order_item"),
        sa.UniqueConstraint("site", "sub_order", "kind", name="uq_sub_order_item_site_sub_order_kind"),
    )
    op.create_table(
        "performed",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("result", BIG, nullable=False),
        sa.Column("sub_order", BIG, nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.Column("value", sa.Text(), server_default="", nullable=False),
        sa.Column("unit", sa.Text(), server_default="", nullable=False),
        sa.Column("obx", sa.Text(), server_default="", nullable=False),
        sa.Column("laboratory", sa.Text(), server_default="", nullable=False),
        sa.Column("laboratory_id", sa.Text(), server_default="", nullable=False),
        sa.Column("accreditation", sa.Text(), server_default="", nullable=False),
        sa.Column("biologist", sa.Text(), server_default="", nullable=False),
        sa.Column("validated_at", sa.Text(), server_default="", nullable=False),
        sa.Column("said_at", sa.Text(), nullable=False),
        sa.Column("fate", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_performed_message"),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_performed_result"),
        sa.ForeignKeyConstraint(["sub_order"], ["sub_order.id"], name="fk_performed_sub_order"),
        sa.PrimaryKeyConstraint("id", name="pk_performed"),
    )
    op.create_index("ix_performed_result", "performed", ["result"])
    op.create_index("ix_performed_sub_order", "performed", ["sub_order"])
    op.create_table(
        "partner_document",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("sub_order", BIG, nullable=False),
        sa.Column("message", BIG, nullable=True),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("whole", sa.Integer(), server_default=sa.text('1'), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_partner_document_message"),
        sa.ForeignKeyConstraint(["sub_order"], ["sub_order.id"], name="fk_partner_document_sub_order"),
        sa.PrimaryKeyConstraint("id", name="pk_partner_document"),
        sa.UniqueConstraint("site", "sub_order", "direction", "digest", name="uq_partner_document_site_sub_order_direction_digest"),
    )
    op.create_table(
        "box_tube",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("box", BIG, nullable=False),
        sa.Column("specimen", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["box"], ["box.id"], name="fk_box_tube_box"),
        sa.PrimaryKeyConstraint("id", name="pk_box_tube"),
        sa.UniqueConstraint("site", "box", "specimen", name="uq_box_tube_site_box_specimen"),
    )
    op.create_table(
        "catalogue_entry",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("loinc", sa.Text(), server_default="", nullable=False),
        sa.Column("nabm", sa.Text(), server_default="", nullable=False),
        sa.Column("specimen", sa.Text(), server_default="", nullable=False),
        sa.Column("tube", sa.Text(), server_default="", nullable=False),
        sa.Column("volume", sa.Text(), server_default="", nullable=False),
        sa.Column("unit", sa.Text(), server_default="", nullable=False),
        sa.Column("stability", sa.Text(), server_default="", nullable=False),
        sa.Column("temperature", sa.Text(), server_default="", nullable=False),
        sa.Column("turnaround", sa.Integer(), server_default=sa.text('0'), nullable=False),
        sa.Column("questions", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("requires", sa.Text(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Text(), nullable=False),
        sa.Column("valid_to", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_catalogue_entry"),
        sa.UniqueConstraint("site", "partner", "version", "code", "loinc", name="uq_catalogue_entry_site_partner_version_code_loinc"),
    )
    op.create_table(
        "partner_file",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("message", BIG, nullable=True),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_partner_file_message"),
        sa.PrimaryKeyConstraint("id", name="pk_partner_file"),
    )
    op.create_index("ix_partner_file_site_partner_digest", "partner_file", ["site", "partner", "digest"])
    op.create_index("ix_partner_file_site_partner_direction_name", "partner_file", ["site", "partner", "direction", "name"])
    op.create_index("ix_order_message", "order", ["message"])
    op.create_index("ix_sub_order_box", "sub_order", ["box"], sqlite_where=sa.text("box IS NOT NULL"), postgresql_where=sa.text("box IS NOT NULL"))
    op.create_index("ix_sub_order_order_order", "sub_order_order", ["order"])
    op.create_index("ix_sub_order_said_outbox", "sub_order_said", ["outbox"])
    op.create_index("ix_sub_order_item_sub_order", "sub_order_item", ["sub_order"])
    op.create_index("ix_partner_document_sub_order", "partner_document", ["sub_order"])
    op.create_index("ix_box_tube_box", "box_tube", ["box"])
