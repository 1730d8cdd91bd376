"""Templates of log bodies: how they are made and merged, and how their records are found again."""
