"""The app without a database: every request here is answered before it needs one."""

import pytest

from config.settings import Settings
from web.app import create_app


@pytest.fixture
def make_app(free_port):
    """Make an app without a database or a broker."""

    def make(**settings):
        ports = {"clickhouse_port": free_port(), "valkey_port": free_port()}
        return create_app(Settings(**{**ports, **settings}))

    return make


@pytest.fixture
def client(make_app):
    return make_app().test_client()
