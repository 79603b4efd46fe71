"""The interview in a terminal: ask, show the verdict forming, push back."""
