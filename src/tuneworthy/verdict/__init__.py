"""The answer: what doesn't fit together, nine rules over the table of ways, and their words."""
