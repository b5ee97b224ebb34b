"""The worklist: what an order needs for it, AWOS and what they brought, with what it was measured; tubes on racks, tubes to be presented again."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# fmt: off
# A migration is a record of what was done: it does not import the schema, which moves on.

# As 0001 made it: SQLite makes a widened table anew, and what it reads back of one is not word for word what was written.
ORDER = sa.Table(
    "order",
    sa.MetaData(),
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


def upgrade() -> None:
    """Widen `order` and make the tables of the worklist."""
    with op.batch_alter_table("order", copy_from=ORDER, recreate="always") as order:
        order.add_column(sa.Column("test_name", sa.Text(), server_default="", nullable=False))
        order.add_column(sa.Column("message", BIG, nullable=True))
        order.add_column(sa.Column("updated_at", sa.Text(), nullable=True))
    op.execute('UPDATE "order" SET updated_at = ordered_at')
    op.create_index("ix_order_site_updated_at", "order", ["site", "updated_at"])

    op.create_table(
        "awos",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("awos", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("specimen", sa.Text(), server_default="", nullable=False),
        sa.Column("patient", sa.Text(), server_default="", nullable=False),
        sa.Column("loinc", sa.Text(), server_default="", nullable=False),
        sa.Column("code", sa.Text(), server_default="", nullable=False),
        sa.Column("test_name", sa.Text(), server_default="", nullable=False),
        sa.Column("order", BIG, nullable=True),
        sa.Column("priority", sa.Text(), server_default="R", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("wanted", sa.Text(), server_default="", nullable=False),
        sa.Column("control_id", sa.Text(), server_default="", nullable=False),
        sa.Column("waits", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("sends", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("parent", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("queried_at", sa.Text(), nullable=True),
        sa.Column("broadcast_at", sa.Text(), nullable=True),
        sa.Column("answered_at", sa.Text(), nullable=True),
        sa.Column("resulted_at", sa.Text(), nullable=True),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["order"], ["order.id"], name="fk_awos_order"),
        sa.PrimaryKeyConstraint("id", name="pk_awos"),
        sa.UniqueConstraint("site", "awos", name="uq_awos_site_awos"),
    )
    op.create_index("ix_awos_site_specimen", "awos", ["site", "specimen"])
    op.create_index("ix_awos_order", "awos", ["order"])
    op.create_index("ix_awos_control_id", "awos", ["site", "control_id"], sqlite_where=sa.text("control_id <> ''"), postgresql_where=sa.text("control_id <> ''"))
    op.create_index("ix_awos_wanted", "awos", ["site", "link", "id"], sqlite_where=sa.text("wanted <> ''"), postgresql_where=sa.text("wanted <> ''"))
    op.create_index("ix_awos_waits", "awos", ["site", "link", "id"], sqlite_where=sa.text("waits = 1"), postgresql_where=sa.text("waits = 1"))

    op.create_table(
        "awos_result",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("awos", BIG, nullable=False),
        sa.Column("result", BIG, nullable=False),
        sa.Column("message", BIG, nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["awos"], ["awos.id"], name="fk_awos_result_awos"),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_awos_result_result"),
        sa.ForeignKeyConstraint(["message"], ["message.id"], name="fk_awos_result_message"),
        sa.PrimaryKeyConstraint("id", name="pk_awos_result"),
        sa.UniqueConstraint("site", "awos", "result", name="uq_awos_result_site_awos_result"),
    )
    op.create_index("ix_awos_result_result", "awos_result", ["result"])

    op.create_table(
        "contribution",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("result", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("lot", sa.Text(), server_default="", nullable=False),
        sa.Column("expiry", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_contribution_result"),
        sa.PrimaryKeyConstraint("id", name="pk_contribution"),
        sa.UniqueConstraint("site", "result", "kind", "name", "lot", name="uq_contribution_site_result_kind_name_lot"),
    )
    op.create_index("ix_contribution_result", "contribution", ["result"])
    op.create_index("ix_contribution_site_lot", "contribution", ["site", "lot"], sqlite_where=sa.text("lot <> ''"), postgresql_where=sa.text("lot <> ''"))

    op.create_table(
        "tube_place",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), server_default="", nullable=False),
        sa.Column("specimen", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tube_place"),
        sa.UniqueConstraint("site", "kind", "carrier", "position", name="uq_tube_place_site_kind_carrier_position"),
    )

    op.create_table(
        "re_present",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("specimen", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("asked_at", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_re_present"),
        sa.UniqueConstraint("site", "link", "specimen", name="uq_re_present_site_link_specimen"),
    )
    op.create_index("ix_re_present_open", "re_present", ["site", "asked_at"], sqlite_where=sa.text("closed_at IS NULL"), postgresql_where=sa.text("closed_at IS NULL"))
