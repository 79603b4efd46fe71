"""Logs of calls and results of other tools, each format by a reader of its own."""
