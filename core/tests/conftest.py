"""What the tests of the one door out stand on."""

from collections.abc import Callable, Iterator

import pytest
from pytest_django import Settings

from core.tests.servers import Server, Step, Visitor


@pytest.fixture
def serve(settings: Settings) -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(*steps: Step) -> Server:
        servers.append(Server(*steps))
        settings.OUTBOUND_ALLOWED_HOSTS = [f"127.0.0.1:{server.port}" for server in servers]
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def visitor() -> Iterator[Visitor]:
    visitor = Visitor()
    yield visitor
    visitor.network.close()
