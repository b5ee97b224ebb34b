"""What people decide: stages of validation, actions of rules, stops, recalls, calls, and rates of release."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# fmt: off
# A migration is a record of what was done: it does not import the schema, which moves on.


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _may(name: str, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=default, nullable=False)


def _later(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=True)


def _json(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), server_default=sa.text("'{}'"), nullable=False)


def upgrade() -> None:
    """Make the tables, and say of every verdict that released something until now that the rules did."""
    op.add_column("verdict", _may("stage"))
    op.execute("UPDATE verdict SET stage = 'automatic' WHERE level <= 1 AND decided_by = 'rules'")
    op.add_column("work", _may("why"))

    op.create_table(
        "action",
        sa.Column("id", BIG, nullable=False), _text("site"), _text("specimen"), _may("patient"), _text("kind"), _may("target"),
        sa.Column("result", BIG, nullable=False), _may("rule"), _may("pack"), _json("facts"), _text("state"), _text("at"),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_action_result"),
        sa.PrimaryKeyConstraint("id", name="pk_action"),
        sa.UniqueConstraint("site", "specimen", "patient", "kind", "target", name="uq_action_site_specimen_patient_kind_target"),
    )
    op.create_index("ix_action_result", "action", ["result"])

    op.create_table(
        "added_test",
        sa.Column("id", BIG, nullable=False), _text("site"), sa.Column("outbox", BIG, nullable=False), sa.Column("result", BIG, nullable=False),
        _text("loinc"), _may("test_name"), _may("protocol"), _text("at"),
        sa.ForeignKeyConstraint(["outbox"], ["outbox.id"], name="fk_added_test_outbox"),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_added_test_result"),
        sa.PrimaryKeyConstraint("id", name="pk_added_test"),
        sa.UniqueConstraint("site", "outbox", "loinc", name="uq_added_test_site_outbox_loinc"),
    )
    op.create_index("ix_added_test_outbox", "added_test", ["outbox"])

    op.create_table(
        "line_stop",
        sa.Column("id", BIG, nullable=False), _text("site"), _text("scope"), _may("target"), _text("reason"), _text("stopped_by"), _text("stopped_at"),
        _later("asked_by"), _later("asked_at"), _later("asked_why"), _later("resumed_by"), _later("resumed_at"), _later("resumed_why"),
        sa.PrimaryKeyConstraint("id", name="pk_line_stop"),
    )
    op.create_index("ix_line_stop_site_scope_target", "line_stop", ["site", "scope", "target"])
    open_stop = sa.text("resumed_at IS NULL")
    op.create_index("ix_line_stop_open", "line_stop", ["site"], sqlite_where=open_stop, postgresql_where=open_stop)

    op.create_table(
        "recall",
        sa.Column("id", BIG, nullable=False), _text("site"), sa.Column("result", BIG, nullable=False), _text("cause"), _json("facts"), _text("raised_at"),
        _may("state", "open"), _later("closed_at"), _may("closed_by"), _may("note"),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_recall_result"),
        sa.PrimaryKeyConstraint("id", name="pk_recall"),
        sa.UniqueConstraint("site", "result", "cause", name="uq_recall_site_result_cause"),
    )
    is_open = sa.text("state = 'open'")
    op.create_index("ix_recall_open", "recall", ["site", "raised_at"], sqlite_where=is_open, postgresql_where=is_open)

    op.create_table(
        "prescriber_call",
        sa.Column("id", BIG, nullable=False), _text("site"), sa.Column("result", BIG, nullable=False), _may("patient"), _may("loinc"), _may("direction"),
        _later("number"), _may("unit"), _json("facts"), _text("raised_at"), _may("state", "open"), _later("called_at"), _may("called_by"), _may("told"),
        _may("read_back"), _may("note"), sa.Column("covered_by", BIG, nullable=True),
        sa.ForeignKeyConstraint(["covered_by"], ["prescriber_call.id"], name="fk_prescriber_call_covered_by"),
        sa.ForeignKeyConstraint(["result"], ["result.id"], name="fk_prescriber_call_result"),
        sa.PrimaryKeyConstraint("id", name="pk_prescriber_call"),
        sa.UniqueConstraint("site", "result", name="uq_prescriber_call_site_result"),
    )
    known = sa.text("state = 'documented'")
    op.create_index("ix_prescriber_call_open", "prescriber_call", ["site", "raised_at"], sqlite_where=is_open, postgresql_where=is_open)
    op.create_index("ix_prescriber_call_known", "prescriber_call", ["site", "patient", "loinc", "called_at"], sqlite_where=known, postgresql_where=known)

    op.create_table(
        "release_hour",
        sa.Column("id", BIG, nullable=False), _text("site"), _text("analyzer"), _text("hour"), sa.Column("judged", sa.Integer(), nullable=False),
        sa.Column("released", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_release_hour"),
        sa.UniqueConstraint("site", "analyzer", "hour", name="uq_release_hour_site_analyzer_hour"),
    )
