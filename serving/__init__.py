"""The event loop in front of the Flask apps, so that slow clients hold no threads."""
