"""Questions and rules, ready to use."""
