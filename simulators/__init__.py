"""Simulated analyzers and a simulated LIS; they speak only the wire."""
