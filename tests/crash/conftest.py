"""Kills are played with each database."""

from __future__ import annotations

from both_databases import database, pytest_generate_tests

__all__ = ["database", "pytest_generate_tests"]
