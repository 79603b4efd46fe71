"""What texts hold and ask for."""
