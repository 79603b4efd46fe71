"""One file a signal: small functions over columns that know nothing of any engine."""
