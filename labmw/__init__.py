"""The laboratory between the wire and the LIS."""

SOFTWARE_VERSION = "0.1.0"
"""Kept with every message and result; `tests/house` holds it against pyproject.toml."""
