"""What has been moved into the archive, and where it is; nothing is moved by this."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# fmt: off
# A migration is a record of what was done: it does not import the schema, which moves on.


def upgrade() -> None:
    """Make the tables of the archive."""
    op.create_table(
        "archive_move",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("began_at", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.Text(), nullable=True),
        sa.Column("last", sa.Text(), nullable=False, server_default=""),
        sa.Column("manifest", sa.Text(), nullable=False, server_default=""),
        sa.Column("previous", sa.Text(), nullable=False, server_default=""),
        sa.Column("certificate", BIG, nullable=True),
        sa.ForeignKeyConstraint(["certificate"], ["certificate.id"], name="fk_archive_move_certificate"),
        sa.PrimaryKeyConstraint("id", name="pk_archive_move"),
        sa.UniqueConstraint("site", "name", name="uq_archive_move_site_name"),
    )
    op.create_index("ix_archive_move_writing", "archive_move", ["site"], sqlite_where=sa.text("state = 'writing'"), postgresql_where=sa.text("state = 'writing'"))
    op.create_table(
        "archive_piece",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("move", BIG, nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False, server_default=""),
        sa.Column("size", BIG, nullable=False, server_default=sa.text("0")),
        sa.Column("rows", sa.Integer(), nullable=False, server_default=sa.text("0")),
        sa.Column("key", BIG, nullable=True),
        sa.Column("newest", sa.Text(), nullable=False, server_default=""),
        sa.ForeignKeyConstraint(["move"], ["archive_move.id"], name="fk_archive_piece_move"),
        sa.PrimaryKeyConstraint("id", name="pk_archive_piece"),
        sa.UniqueConstraint("site", "move", "class", name="uq_archive_piece_site_move_class"),
    )
    op.create_index("ix_archive_piece_move", "archive_piece", ["move"])
    op.create_index("ix_archive_piece_going", "archive_piece", ["site"], sqlite_where=sa.text("state IN ('destroying', 'returning')"), postgresql_where=sa.text("state IN ('destroying', 'returning')"))
    op.create_table(
        "archive_index",
        sa.Column("id", BIG, nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("piece", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["piece"], ["archive_piece.id"], name="fk_archive_index_piece"),
        sa.PrimaryKeyConstraint("id", name="pk_archive_index"),
        sa.UniqueConstraint("site", "piece", "kind", "value", name="uq_archive_index_site_piece_kind_value"),
    )
    op.create_index("ix_archive_index_site_kind_value", "archive_index", ["site", "kind", "value"])
    op.create_index("ix_archive_index_piece", "archive_index", ["piece"])
