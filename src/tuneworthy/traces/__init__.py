"""Logs of any format, read into records."""
