"""The table of ways: everything that could run, its figures, and the order to try it in."""
