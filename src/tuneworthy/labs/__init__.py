"""Experiments: what can only be found out by trying, under a cap and with a plan written before."""
