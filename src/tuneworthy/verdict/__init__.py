"""What follows from the answers, how firmly, and what would change it."""
