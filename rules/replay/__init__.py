"""What would these rules have done with last year's results? History in columns, judged a million at a time (needs polars)."""
