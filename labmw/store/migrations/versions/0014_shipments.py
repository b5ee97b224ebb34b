"""Boxes that come, beside those that leave; what of a sub-order is said beside its control code; the number on an aliquot."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# fmt: off
# A migration is a record of what was done: it does not import the schema, which moves on.


def upgrade() -> None:
    """Add the columns; every box until now has left from here."""
    op.add_column("box", sa.Column("direction", sa.Text(), server_default="out", nullable=False))
    op.add_column("box", sa.Column("announced", sa.Integer(), nullable=True))
    op.add_column("sub_order", sa.Column("aliquot", sa.Text(), server_default="", nullable=False))
    op.add_column("sub_order_said", sa.Column("about", sa.Text(), server_default="", nullable=False))
    comes, coming = sa.text("direction = 'in'"), sa.text("direction = 'in' AND state = 'announced'")
    op.create_index("ix_box_named", "box", ["site", "number"], sqlite_where=comes, postgresql_where=comes)
    op.create_index("ix_box_coming", "box", ["site"], sqlite_where=coming, postgresql_where=coming)
    op.create_index("ix_box_tube_site_specimen", "box_tube", ["site", "specimen"])
