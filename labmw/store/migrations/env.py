"""What Alembic runs its scripts with: the connection that `labmw.store.migrations` gives it."""

from alembic import context

from labmw.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,  # SQLite changes a column by making the table anew
)
with context.begin_transaction():
    context.run_migrations()
