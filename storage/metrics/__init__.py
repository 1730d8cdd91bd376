"""Reading metrics: which there are, and series computed from their data points."""
