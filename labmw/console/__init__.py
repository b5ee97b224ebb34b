"""The web side: metrics and health."""
