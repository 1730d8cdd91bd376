"""The web page and the documentation page."""
