"""LIS01-A2 link and LIS02-A2 records: how most analyzers speak."""
