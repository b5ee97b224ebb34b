"""Faults made on purpose, seeded and bounded: what was acknowledged and is lost, and what is there twice, counted after each."""
