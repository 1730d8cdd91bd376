"""Queries over metrics: the catalogue, and series computed from data points."""
