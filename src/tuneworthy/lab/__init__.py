"""Labs: they find out by trying."""
