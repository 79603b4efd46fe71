"""The cost and the return of tuning."""
