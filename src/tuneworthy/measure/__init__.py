"""Measurements on logs and results: signals with intervals."""
