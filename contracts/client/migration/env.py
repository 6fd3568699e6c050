"""Alembic's environment for every owner's tables: the caller hands over the connection, the tables and the name of
the table that holds the version."""

from alembic import context

given = context.config.attributes

context.configure(
    connection=given["connection"],
    target_metadata=given["metadata"],
    version_table=given["version_table"],
    render_as_batch=True,  # SQLite alters a table by copying it
    compare_type=True,
    include_name=lambda name, kind, _parents: kind != "table" or name in given["metadata"].tables,
)
with context.begin_transaction():
    context.run_migrations()
