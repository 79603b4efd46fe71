"""From a verdict to a proven model: training data, hand-off, pilot, watch."""
