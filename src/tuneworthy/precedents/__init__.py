"""What happened to others."""
