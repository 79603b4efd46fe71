"""The answer: challenges, nine rules over the table of ways, and their words."""
