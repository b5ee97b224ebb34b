"""What does this laboratory call things? Its catalogue, its own codes on its analyzers, its units: read, signed, dated, laid over the drivers."""
