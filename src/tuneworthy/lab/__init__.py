"""What can only be found out by trying."""
