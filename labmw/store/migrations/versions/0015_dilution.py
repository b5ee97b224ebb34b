"""How far an analyzer is to dilute a specimen before it measures: part of what it is told."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# A migration is a record of what was done: it does not import the schema, which moves on.


def upgrade() -> None:
    """Add the column; what was ordered before was ordered as it is."""
    op.add_column("awos", sa.Column("dilution", sa.Text(), server_default="", nullable=False))
