"""Real processes and real clients; a package, so that what its tests share stops with them."""
