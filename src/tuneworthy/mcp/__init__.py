"""The tools for an assistant."""
