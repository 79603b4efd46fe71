"""The contents of texts, and the instructions in them."""
