"""Running Sheaf: jobs, dead letters, retention."""
