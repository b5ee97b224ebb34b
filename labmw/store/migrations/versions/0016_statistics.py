"""What SQLite assumes of a table of results before anybody has counted: tubes are few rows, states are many (decision 0095)."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# A migration is a record of what was done: it does not import the schema, which moves on.

# Rows of the table, then the rows that one value of the first, the first two … columns of the index leaves (sqlite.org/fileformat2.html#stat1tab).
ASSUMED = {
    "ix_result_message": "1000000 8",
    "ix_result_site_specimen_code": "1000000 1000000 10 2",
    "ix_result_site_state": "1000000 1000000 5000",
    "ix_result_history": "900000 900000 50 5 1",
    "sqlite_autoindex_result_1": "1000000 1000000 2 1",
}


def upgrade() -> None:
    """Write them; PostgreSQL counts by itself."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("ANALYZE alembic_version")  # makes the table of statistics
    op.execute("DELETE FROM sqlite_stat1 WHERE tbl = 'result'")
    written = sa.text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES ('result', :idx, :stat)")
    for index, rows in ASSUMED.items():
        op.get_bind().execute(written, {"idx": index, "stat": rows})
