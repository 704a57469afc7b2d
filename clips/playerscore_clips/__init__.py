"""Match-like clips with their ground truth."""
