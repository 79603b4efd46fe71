"""Hostile text into plain values: YAML read as data only, and values into records."""
