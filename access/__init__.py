"""Who may do what: keys, their scopes, and the principal behind a request."""
