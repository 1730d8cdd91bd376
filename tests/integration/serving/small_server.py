"""A real server with a small app."""

import os
import resource
import socket
from functools import partial

THREADS = 4
MOST_BODY = 1 << 20
BIG = 3_000_000
FREE = 60
"""Free descriptors of a server that has few."""


def serve(settings, files):
    """Run a server with a small app; if `files` is given, only `FREE` descriptors are free."""
    from config import logging
    from serving.wsgi import Server

    if files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    logging.configure(settings)
    build = partial(small_app, files)
    Server(settings, settings.api_port, build, most_body=MOST_BODY).run()


def small_app(files):
    from flask import Flask, Response, request

    def length():
        return str(len(request.args["q"]))

    def big():
        return b"x" * BIG

    def stream():
        pieces = BIG // 100_000
        return Response(b"y" * 100_000 for _ in range(pieces))

    def echo():
        return request.get_data()

    def size():
        return str(len(request.get_data()))

    app = Flask("small")
    app.add_url_rule("/", "hello", lambda: "hello")
    for view in (length, big, stream):
        app.add_url_rule(f"/{view.__name__}", view_func=view)
    for view in (echo, size):
        app.add_url_rule(f"/{view.__name__}", view_func=view, methods=["POST"])
    for _ in range(files - FREE):
        # Left open.
        os.open("/dev/null", os.O_RDONLY)
    return app


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
