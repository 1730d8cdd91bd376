"""`sheaf tail`: log files that grow, sent to the HTTP door, each line once."""
