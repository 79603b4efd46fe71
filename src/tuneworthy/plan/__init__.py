"""Phases, hours, cost and dates."""
