"""Which addresses may be visited, and the proof that nothing else is ever connected to."""

import datetime
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpcore
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pytest_django import Settings

from core import errors
from core.addresses import Network, check_url
from core.http import Answer, Door
from core.tests.servers import TLS, Server, redirect, reply

PUBLIC = "93.184.216.34"

HOSTILE = """
http://127.0.0.1/  http://127.1/  http://127.0.1/  http://2130706433/  http://017700000001/  http://0177.0.0.1/
http://0x7f000001/  http://0x7f.0.0.1/  http://0x7f.1/  http://0/  http://0.0.0.0/  http://00000177.1/
http://127.0.0.1./  http://127.000.000.001/  http://127。0。0。1/  http://\uff11\uff12\uff17.0.0.1/  http://①②⑦.⓪.⓪.①/
http://127%2e0%2e0%2e1/  http://%31%32%37.0.0.1/  http://134744072/  http://10.0.0.1/  http://10.255.255.255/
http://172.16.0.1/  http://172.31.255.254/  http://192.168.0.1/  http://100.64.0.1/  http://100.100.100.200/
http://100.127.255.254/  http://169.254.169.254/latest/meta-data/  http://169.254.170.2/  http://192.0.0.192/
http://192.0.2.1/  http://192.88.99.1/  http://198.18.0.1/  http://198.51.100.1/  http://203.0.113.1/
http://224.0.0.1/  http://239.255.255.250/  http://240.0.0.1/  http://255.255.255.255/  http://168.63.129.16/
http://[::1]/  http://[::]/  http://[0:0:0:0:0:0:0:1]/  http://[::ffff:127.0.0.1]/  http://[::ffff:7f00:1]/
http://[::ffff:8.8.8.8]/  http://[::127.0.0.1]/  http://[64:ff9b::7f00:1]/  http://[64:ff9b::a9fe:a9fe]/
http://[64:ff9b:1::7f00:1]/  http://[2002:7f00:1::]/  http://[2002:a9fe:a9fe::1]/
http://[2001:0:4136:e378:8000:63bf:80ff:fffe]/  http://[2001:db8::1]/  http://[2001:10::1]/  http://[3fff::1]/
http://[5f00::1]/  http://[fc00::1]/  http://[fd00:ec2::254]/  http://[fe80::1]/  http://[fe80::1%25eth0]/
http://[2606:4700::1111%25lo]/  http://[fec0::1]/  http://[ff02::1]/  http://[100::1]/  http://[4000::1]/
http://user@example.com/  http://user:pw@example.com/  http://example.com:pw@127.0.0.1/
http://127.0.0.1\\@example.com/  http://example.com\\@127.0.0.1/  http:\\\\127.0.0.1/  http:127.0.0.1  http:///path
http://  //127.0.0.1/  http://example.com:22/  http://example.com:8080/  http://example.com:6379/
https://example.com:0/  http://example.com:99999/  http://example.com:80:81/  http://example.com:x/  http://[::1
http://[v1.x]/  http://exa%00mple.com/  http://-a.example.com/  http://a..example.com/  http://.example.com/
http://example.com./  http://*.example.com/  http://a_b.1/  http://example.0x10/  file:///etc/passwd
gopher://127.0.0.1:70/_  ftp://example.com/  dict://127.0.0.1:11211/  ldap://127.0.0.1/  data:text/html,x
javascript:alert(1)  ws://example.com/  unix:///run/docker.sock  example.com  /path
"""
HOSTILE_URLS = [
    *HOSTILE.split(),
    *("", "http://exam ple.com/", "http://example.com\r\nHost:x/", "http://\t127.0.0.1/", "http://\ud800.com/"),
    *("http://" + "a" * 64 + ".com/", "http://" + "a." * 130 + "com/", "http://example.com/" + "x" * 70_000),
]
CLOSED_ANSWERS = """
127.0.0.1 127.8.8.8 10.1.2.3 172.20.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255
198.19.0.1 168.63.129.16 ::1 :: ::ffff:127.0.0.1 ::ffff:10.0.0.1 64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b:1::1
2002:7f00:1:: 2001::1 fe80::1 fe80::1%lo fd00:ec2::254 ff02::1 2001:db8::1 nonsense
"""


@pytest.mark.parametrize("url", HOSTILE_URLS, ids=ascii)
def test_it_refuses_a_hostile_address(url: str) -> None:
    with pytest.raises(errors.AddressRefused) as refusal:
        check_url(url)
    assert "pw" not in f"{refusal.value} {refusal.value.details}"


OPEN_URLS = """
https://example.com  http://example.com:80/  http://example.com:443/a?b#c  HTTPS://EXAMPLE.com/  https://müller.example/
https://a_b.example.com/  http://8.8.8.8/  http://172.32.0.1/  http://100.128.0.1/  http://[2606:4700:4700::1111]/
http://[2001:4860:4860::8888]/  http://[64:ff9b::808:808]/
"""


@pytest.mark.parametrize("url", OPEN_URLS.split(), ids=ascii)
def test_it_lets_a_public_address_through(url: str) -> None:
    check_url(url)


class Wiretap(httpcore.NetworkBackend):
    """Notes every address that is dialled, and connects to a server on this machine instead."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.dialled: list[str] = []
        self.dead: set[str] = set()

    def connect_tcp(self, host: str, port: int, *args: Any, **kwargs: Any) -> httpcore.NetworkStream:
        self.dialled.append(f"{host}:{port}")
        if host in self.dead:
            raise httpcore.ConnectError("no route")
        return httpcore.SyncBackend().connect_tcp("127.0.0.1", self.port, *args, **kwargs)


class Names:
    """A resolver under the tests' control. A name answers its lists in turn and stays with the last."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers, self.asked = answers, list[str]()

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        known = self.answers.get(host.partition(".")[0])
        if known is None:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return known.pop(0) if len(known) > 1 else known[0]


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(reply(b"{}", "Connection: close"))
    yield server
    server.close()


def visit(url: str, *, names: Names, tap: Wiretap, tls: ssl.SSLContext | None = TLS, **fields: Any) -> Answer:
    network = Network(resolve=names, dial=tap, tls=tls)
    try:
        return Door(network=network, sleep=lambda pause: None).request(
            vendor="acme", operation="media", url=url, **fields
        )
    finally:
        network.close()


@pytest.mark.parametrize("url", HOSTILE_URLS, ids=ascii)
def test_it_connects_to_nothing_for_a_hostile_address(server: Server, url: str) -> None:
    tap = Wiretap(server.port)
    with pytest.raises(errors.AddressRefused):
        visit(url, names=Names(), tap=tap)
    assert (tap.dialled, server.connections) == ([], 0)


@pytest.mark.parametrize("answer", CLOSED_ANSWERS.split())
def test_it_connects_to_nothing_when_a_name_leads_inside(server: Server, answer: str) -> None:
    tap = Wiretap(server.port)
    for addresses in ([answer], [PUBLIC, answer], [PUBLIC] * 9 + [answer]):
        with pytest.raises(errors.AddressRefused):
            visit("http://127-0-0-1.nip.example/", names=Names(**{"127-0-0-1": [addresses]}), tap=tap)
    assert (tap.dialled, server.connections) == ([], 0)


def test_it_connects_to_the_address_that_was_checked_and_keeps_the_name(server: Server) -> None:
    tap, names = Wiretap(server.port), Names(cdn=[[PUBLIC], ["127.0.0.1"]])
    assert visit("http://cdn.example/", names=names, tap=tap).status == 200
    assert (tap.dialled, names.asked) == ([f"{PUBLIC}:80"], ["cdn.example"])
    assert "Host: cdn.example\r\n" in server.heard[0]


def test_it_asks_nobody_about_an_address_that_needs_no_name(server: Server) -> None:
    tap, names = Wiretap(server.port), Names()
    visit(f"http://{PUBLIC}/", names=names, tap=tap)
    assert (tap.dialled, names.asked) == ([f"{PUBLIC}:80"], [])


def test_it_is_not_led_inside_by_a_name_that_changes_its_mind(server: Server) -> None:
    tap, names = Wiretap(server.port), Names(rebind=[[PUBLIC], ["127.0.0.1"]])
    server.steps = [redirect("http://rebind.example/two")]
    with pytest.raises(errors.AddressRefused):
        visit("http://rebind.example/", names=names, tap=tap, follow_redirects=True)
    assert (tap.dialled, server.connections) == ([f"{PUBLIC}:80"], 1)


def test_it_is_not_led_inside_between_two_tries(server: Server) -> None:
    tap, names = Wiretap(server.port), Names(rebind=[[PUBLIC], ["169.254.169.254"]])
    server.steps = [reply(status=503)]
    with pytest.raises(errors.AddressRefused):
        visit("http://rebind.example/", names=names, tap=tap)
    assert tap.dialled == [f"{PUBLIC}:80"]


@pytest.mark.parametrize(
    "target", ["http://inside.example/", "http://127.0.0.1/", "http://[::1]/", "http://metadata/", "//inside.example"]
)
def test_it_is_not_led_inside_by_a_chain_of_redirects(server: Server, target: str) -> None:
    names = Names(a=[[PUBLIC]], b=[["1.1.1.1"]], inside=[["10.0.0.1"]], metadata=[["169.254.169.254"]])
    tap = Wiretap(server.port)
    server.steps = [redirect("http://b.example/"), redirect("http://a.example/2"), redirect(target)]
    with pytest.raises(errors.AddressRefused):
        visit("http://a.example/", names=names, tap=tap, follow_redirects=True)
    assert {dialled.partition(":")[0] for dialled in tap.dialled} == {PUBLIC, "1.1.1.1"}


def test_it_lets_only_the_exact_pair_inside(server: Server, settings: Settings) -> None:
    settings.OUTBOUND_ALLOWED_HOSTS = [f"sandbox.test:{server.port}"]
    tap, names = Wiretap(server.port), Names(sandbox=[["127.0.0.1"]], other=[["127.0.0.1"]])
    assert visit(f"http://sandbox.test:{server.port}/", names=names, tap=tap).status == 200
    for host in (
        f"other.test:{server.port}",
        f"sandbox.test:{server.port + 1}",
        "sandbox.test",
        f"127.0.0.1:{server.port}",
    ):
        with pytest.raises(errors.AddressRefused):
            visit(f"http://{host}/", names=names, tap=tap)
    assert server.connections == 1


def test_it_turns_to_the_next_address_when_one_does_not_answer(server: Server) -> None:
    tap, names = Wiretap(server.port), Names(two=[["2606:4700::1", PUBLIC]])
    tap.dead = {"2606:4700::1"}
    assert visit("http://two.example/", names=names, tap=tap).status == 200
    assert tap.dialled == ["2606:4700::1:80", f"{PUBLIC}:80"]


def test_it_calls_a_name_that_does_not_exist_unavailable(server: Server) -> None:
    names = Names(empty=[[]])
    for host in ("nowhere.example", "empty.example"):
        with pytest.raises(errors.VendorUnavailable):
            visit(f"http://{host}/", names=names, tap=Wiretap(server.port))
    assert names.asked == ["nowhere.example"] * 3 + ["empty.example"] * 3


def test_it_does_not_wait_for_a_name_beyond_the_deadline(server: Server) -> None:
    never = threading.Event()
    network = Network(resolve=lambda host, port: [str(never.wait())], dial=Wiretap(server.port))
    started = time.monotonic()
    with pytest.raises(errors.VendorTimeout):
        Door(network=network).request(vendor="a", operation="b", url="http://slow.example/", timeout=0.3)
    assert time.monotonic() - started < 0.8
    never.set()
    network.close()


def test_it_refuses_a_connection_that_nobody_takes(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings.OUTBOUND_ALLOWED_HOSTS = [f"127.0.0.1:{port}"]
    with pytest.raises(errors.VendorUnavailable):
        visit(f"http://127.0.0.1:{port}/", names=Names(), tap=Wiretap(port))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for cdn.example, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cdn.example")])
    today = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("cdn.example")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "cdn.pem"
    path.write_bytes(key.private_bytes(*plain) + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server(reply(), wrap=lambda plain: context.wrap_socket(plain, server_side=True))
    yield server
    server.close()


def test_it_checks_the_certificate_against_the_name(tls_server: Server, certificate: Path) -> None:
    tap, names = Wiretap(tls_server.port), Names(cdn=[[PUBLIC]], other=[[PUBLIC]])
    trusting = ssl.create_default_context(cafile=certificate)
    assert visit("https://cdn.example/", names=names, tap=tap, tls=trusting).status == 200
    assert tap.dialled == [f"{PUBLIC}:443"]
    for url, tls in (
        ("https://other.example/", trusting),
        (f"https://{PUBLIC}/", trusting),
        ("https://cdn.example/", None),
    ):
        with pytest.raises(errors.VendorUnavailable):
            visit(url, names=names, tap=tap, tls=tls)


def test_it_follows_no_redirect_from_https_to_http(tls_server: Server, certificate: Path) -> None:
    tls_server.steps = [redirect("http://cdn.example/")]
    tap, trusting = Wiretap(tls_server.port), ssl.create_default_context(cafile=certificate)
    with pytest.raises(errors.AddressRefused) as refusal:
        visit("https://cdn.example/", names=Names(cdn=[[PUBLIC]]), tap=tap, tls=trusting, follow_redirects=True)
    assert refusal.value.details == {"reason": "downgrade"}


def take_and_say_nothing(plain: socket.socket) -> socket.socket:
    while plain.recv(65536):
        pass
    return plain


def test_it_meets_the_deadline_when_the_handshake_hangs(server: Server) -> None:
    server.wrap = take_and_say_nothing
    started = time.monotonic()
    with pytest.raises(errors.VendorTimeout):
        visit("https://cdn.example/", names=Names(cdn=[[PUBLIC]]), tap=Wiretap(server.port), timeout=0.3)
    assert time.monotonic() - started < 0.8
