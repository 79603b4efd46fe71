"""From a verdict to a model that is proven: training data, hand-off, pilot, watch."""
