"""Outcomes of others: published cases of tuning."""
