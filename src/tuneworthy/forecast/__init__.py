"""What it costs, what it brings, when it pays."""
