"""Facts from others' pages about models and services, each with its source and its day."""
