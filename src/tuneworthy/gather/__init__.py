"""What can be observed beside the case file."""
