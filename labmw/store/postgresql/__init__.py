"""The store in a PostgreSQL database: the same schema, statements and transactions as in a SQLite file (decision 0030)."""
