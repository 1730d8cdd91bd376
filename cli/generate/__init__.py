"""`sheaf generate`: a request log, into a file or through a door, at a steady rate."""
