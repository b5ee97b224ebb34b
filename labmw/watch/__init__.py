"""What is wrong now, and what to do about it."""
