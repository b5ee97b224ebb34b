"""The laboratory between the wire and the LIS."""
