"""What logs and results show: signals with intervals."""
