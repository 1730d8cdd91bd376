"""Whole systems whose parts are killed; a package, so that what its tests share stops with them."""
