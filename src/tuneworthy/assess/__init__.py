"""Evidence into states, and statements held against each other."""
