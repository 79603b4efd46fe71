"""Logs of any format into records."""
