"""Boot script of the query API: `python -m web`."""

from config import logging, settings
from config.wsgi import Server
from web.app import create_app


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    loaded = settings.load_or_exit()
    logging.configure(loaded)
    Server(loaded, loaded.api_port, lambda: create_app(loaded)).run()


if __name__ == "__main__":
    main()
