"""From a user's logs and files to the evidence of a case."""
