"""Traces as a waterfall in one HTML file that needs nothing else."""
