"""What is kept: schema, statements, the writer and its group commit."""
