"""To somebody else: the outbox and the links that empty it."""
