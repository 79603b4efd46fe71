"""What pages of others say of models and services, each with its source and its day."""
