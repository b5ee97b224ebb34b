"""Bytes at rest: encrypted under a key of their own, which can be destroyed (decision 0076)."""
