from tests.integration.embedded_server import (  # noqa: F401 - fixtures
    client,
    database,
    embedded_server,
    new_embedded_server,
)
