"""Converts what clients send to OTLP, validated and cut by tenant."""
