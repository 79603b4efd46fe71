"""What happened to others, and how often the rules would have been right about it."""
