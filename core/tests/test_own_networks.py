"""What one network may reach is closed to every other: the way to a model server of one's own."""

from collections.abc import Iterator

import pytest

from core import errors, http
from core.addresses import Network
from core.http import Door
from core.tests.servers import Server, redirect, reply


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(reply(b"{}", "Connection: close"))
    yield server
    server.close()


@pytest.fixture
def door(server: Server) -> Iterator[Door]:
    network = Network(resolve=lambda host, port: ["127.0.0.1"], allowed={f"model.test:{server.port}"})
    yield Door(network=network)
    network.close()


def test_a_network_reaches_exactly_the_pair_it_is_allowed(server: Server, door: Door) -> None:
    assert door.request(vendor="model", operation="ask", url=f"http://model.test:{server.port}/").status == 200
    for host in (
        f"model.test:{server.port + 1}",
        f"other.test:{server.port}",
        "model.test",
        f"127.0.0.1:{server.port}",
    ):
        with pytest.raises(errors.AddressRefused):
            door.request(vendor="model", operation="ask", url=f"http://{host}/")
    assert server.connections == 1


def test_no_redirect_leads_there_not_even_its_own(server: Server, door: Door) -> None:
    server.steps = [redirect(f"http://model.test:{server.port}/inside")]
    with pytest.raises(errors.AddressRefused):
        door.request(vendor="model", operation="ask", url=f"http://model.test:{server.port}/", follow_redirects=True)


def test_the_common_door_stays_closed_to_it(server: Server, door: Door) -> None:
    with pytest.raises(errors.AddressRefused):
        http.request(vendor="instagram", operation="media", url=f"http://model.test:{server.port}/")
    assert server.connections == 0
