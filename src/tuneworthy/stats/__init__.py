"""Intervals, resampling and comparisons."""
