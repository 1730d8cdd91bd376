"""What is accepted but not yet stored, kept in the broker."""
