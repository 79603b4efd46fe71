"""Cost and return."""
