"""The search language: text to a tree, the tree to SQL or evaluated in Python."""
