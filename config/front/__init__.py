"""The event loop in front of the Flask apps: no slow client holds a thread."""
