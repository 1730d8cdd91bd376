"""Sample data: an hour of a small shop, with an incident to find in its last ten minutes."""
