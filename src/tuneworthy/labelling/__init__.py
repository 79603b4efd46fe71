"""Labels of an evaluation set by people: queues for the page, sheets out and back."""
