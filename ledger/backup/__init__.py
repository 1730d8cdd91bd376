"""The broker's part of a backup: which keys belong to it, how they are read, and put back."""
