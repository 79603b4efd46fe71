"""Personal and secret data: what gives it away, who is named, and how to hide it."""
