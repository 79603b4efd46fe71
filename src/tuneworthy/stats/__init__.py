"""Intervals and resampling; no noun of ours beyond numbers."""
