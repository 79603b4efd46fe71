"""The interview: questions and answers."""
