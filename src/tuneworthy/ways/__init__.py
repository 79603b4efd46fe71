"""One table of ways: what could run, what is known of it, and in which order to try it."""
