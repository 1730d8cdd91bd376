"""Keys over REST, and signing in to the page."""
