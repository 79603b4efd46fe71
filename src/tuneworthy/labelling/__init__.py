"""What people say of an evaluation set: queues for the page, sheets out and back."""
