"""Models from outside: what they cost, and later what they say."""
