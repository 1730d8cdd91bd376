"""What every endpoint of the API shares: arguments, errors, admission, health."""
