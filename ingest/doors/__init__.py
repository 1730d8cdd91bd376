"""The doors: one package for each protocol."""
