"""Quality control: targets, plans, judged points and how they stand; averages of patients; who is responsible; what watched packs would have said."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# fmt: off
# A migration is a record of what was done: it does not import the schema, which moves on.


def upgrade() -> None:
    """Make the tables, and two columns."""
    op.add_column("material", sa.Column("level", sa.Text(), nullable=False, server_default=""))
    op.add_column("verdict", sa.Column("responsible", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "qc_target",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("analyzer", sa.Text(), nullable=False, server_default=""),
        sa.Column("module", sa.Text(), nullable=False, server_default=""),
        sa.Column("test", sa.Text(), nullable=False),
        sa.Column("material", sa.Text(), nullable=False),
        sa.Column("lot", sa.Text(), nullable=False),
        sa.Column("unit", sa.Text(), nullable=False, server_default=""),
        sa.Column("mean", sa.Text(), nullable=True),
        sa.Column("sd", sa.Text(), nullable=True),
        sa.Column("expected", sa.Text(), nullable=False, server_default=""),
        sa.Column("source", sa.Text(), nullable=False, server_default=""),
        sa.Column("set_at", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_qc_target"),
    )
    op.create_index("ix_qc_target_open", "qc_target", ["site", "test"], sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL"))
    op.create_table(
        "qc_plan",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("analyzer", sa.Text(), nullable=False, server_default=""),
        sa.Column("module", sa.Text(), nullable=False, server_default=""),
        sa.Column("test", sa.Text(), nullable=False),
        sa.Column("rules", sa.Text(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("gate", sa.Text(), nullable=False),
        sa.Column("max_age", sa.Integer(), nullable=False, server_default=sa.text('0')),
        sa.Column("run_minutes", sa.Integer(), nullable=False, server_default=sa.text('120')),
        sa.Column("allowed", sa.Text(), nullable=False, server_default=""),
        sa.Column("allowed_source", sa.Text(), nullable=False, server_default=""),
        sa.Column("set_at", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("second", sa.Text(), nullable=False, server_default=""),
        sa.Column("ended_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_qc_plan"),
    )
    op.create_index("ix_qc_plan_open", "qc_plan", ["site", "test"], sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL"))
    op.create_table(
        "qc_point",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("result", BIG, nullable=False),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("analyzer", sa.Text(), nullable=False),
        sa.Column("module", sa.Text(), nullable=False, server_default=""),
        sa.Column("test", sa.Text(), nullable=False),
        sa.Column("test_name", sa.Text(), nullable=False, server_default=""),
        sa.Column("material", sa.Text(), nullable=False),
        sa.Column("lot", sa.Text(), nullable=False, server_default=""),
        sa.Column("level", sa.Text(), nullable=False, server_default=""),
        sa.Column("reagent_lot", sa.Text(), nullable=False, server_default=""),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("run", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False, server_default=""),
        sa.Column("unit", sa.Text(), nullable=False, server_default=""),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("mean", sa.Text(), nullable=True),
        sa.Column("sd", sa.Text(), nullable=True),
        sa.Column("z", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("doubt", sa.Text(), nullable=False, server_default=""),
        sa.Column("broken", sa.Text(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("excluded_at", sa.Text(), nullable=True),
        sa.Column("excluded_by", sa.Text(), nullable=False, server_default=""),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_qc_point_result"),
        sa.PrimaryKeyConstraint("id", name="pk_qc_point"),
        sa.UniqueConstraint("site", "result", name="uq_qc_point_site_result"),
    )
    op.create_index("ix_qc_point_site_test_at", "qc_point", ["site", "test", "at"])
    op.create_table(
        "qc_state",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("analyzer", sa.Text(), nullable=False),
        sa.Column("module", sa.Text(), nullable=False, server_default=""),
        sa.Column("test", sa.Text(), nullable=False),
        sa.Column("level", sa.Text(), nullable=False, server_default=""),
        sa.Column("link", sa.Text(), nullable=False),
        sa.Column("test_name", sa.Text(), nullable=False, server_default=""),
        sa.Column("material", sa.Text(), nullable=False, server_default=""),
        sa.Column("lot", sa.Text(), nullable=False, server_default=""),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False, server_default=""),
        sa.Column("points", sa.Text(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_qc_state"),
        sa.UniqueConstraint("site", "analyzer", "module", "test", "level", name="uq_qc_state_site_analyzer_module_test_level"),
    )
    op.create_index("ix_qc_state_site_test", "qc_state", ["site", "test"])
    op.create_table(
        "qc_restart",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("analyzer", sa.Text(), nullable=False, server_default=""),
        sa.Column("module", sa.Text(), nullable=False, server_default=""),
        sa.Column("test", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_qc_restart"),
    )
    op.create_index("ix_qc_restart_site_test_at", "qc_restart", ["site", "test", "at"])
    op.create_table(
        "qc_derogation",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("analyzer", sa.Text(), nullable=False, server_default=""),
        sa.Column("module", sa.Text(), nullable=False, server_default=""),
        sa.Column("test", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("until", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("approved_at", sa.Text(), nullable=True),
        sa.Column("approved_by", sa.Text(), nullable=False, server_default=""),
        sa.Column("ended_at", sa.Text(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("id", name="pk_qc_derogation"),
    )
    op.create_index("ix_qc_derogation_site_test", "qc_derogation", ["site", "test"])
    op.create_table(
        "average_plan",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("analyzer", sa.Text(), nullable=False, server_default=""),
        sa.Column("test", sa.Text(), nullable=False),
        sa.Column("algorithm", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False, server_default=sa.text('0')),
        sa.Column("weight", sa.Text(), nullable=False, server_default=""),
        sa.Column("unit", sa.Text(), nullable=False, server_default=""),
        sa.Column("truncate_low", sa.Text(), nullable=False),
        sa.Column("truncate_high", sa.Text(), nullable=False),
        sa.Column("low", sa.Text(), nullable=False),
        sa.Column("high", sa.Text(), nullable=False),
        sa.Column("start", sa.Text(), nullable=False, server_default=""),
        sa.Column("wards", sa.Text(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("set_at", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_average_plan"),
    )
    op.create_index("ix_average_plan_open", "average_plan", ["site", "test"], sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL"))
    op.create_table(
        "average_state",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("analyzer", sa.Text(), nullable=False),
        sa.Column("test", sa.Text(), nullable=False),
        sa.Column("plan", BIG, nullable=False),
        sa.Column("kept", sa.Text(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False, server_default=sa.text('0')),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("result", BIG, nullable=True),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_average_state_result"),
        sa.ForeignKeyConstraint(["plan"], ["average_plan.id"], name="fk_average_state_plan"),
        sa.PrimaryKeyConstraint("id", name="pk_average_state"),
        sa.UniqueConstraint("site", "analyzer", "test", name="uq_average_state_site_analyzer_test"),
    )
    op.create_table(
        "roster",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("starts", sa.Text(), nullable=False),
        sa.Column("ends", sa.Text(), nullable=False),
        sa.Column("set_at", sa.Text(), nullable=False),
        sa.Column("set_by", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("ended_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_roster"),
    )
    op.create_index("ix_roster_open", "roster", ["site", "starts"], sqlite_where=sa.text("ended_at IS NULL"), postgresql_where=sa.text("ended_at IS NULL"))
    op.create_table(
        "shadow_verdict",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("result", BIG, nullable=False),
        sa.Column("pack", sa.Text(), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("active", sa.Integer(), nullable=False, server_default=sa.text('0')),
        sa.Column("reasons", sa.Text(), nullable=False, server_default=sa.text("'[]'")),
        sa.Column("decided_at", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_shadow_verdict_result"),
        sa.PrimaryKeyConstraint("id", name="pk_shadow_verdict"),
        sa.UniqueConstraint("site", "result", "pack", name="uq_shadow_verdict_site_result_pack"),
    )
    op.create_index("ix_shadow_verdict_site_pack", "shadow_verdict", ["site", "pack"])
