"""A leaf: settings, logging and metric names."""
