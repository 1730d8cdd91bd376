"""The search language: parsed to a tree, then compiled to SQL or evaluated in Python."""
