"""Texts of strangers: what they hold, what they ask for, and how that is looked for."""
