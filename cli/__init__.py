"""The command `sheaf`: starting, stopping and describing the whole system."""
