"""The connection to a model server: kept from one answer to the next, and left where a stream is not ended."""

import socket
import time
from contextlib import closing

import pytest

from analysis.providers.openai_compatible import OpenAICompatible
from analysis.tests.conversing import conversation, spoken
from core.tests.servers import CHUNKED, Server

pytestmark = pytest.mark.django_db


def speaking(*, ends: bool) -> bytes:
    """A whole stream of one word, and the end of its body or not."""
    piece = b'data: {"choices": [{"delta": {"content": "word"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    return CHUNKED + b"%x\r\n%s\r\n" % (len(piece), piece) + b"0\r\n\r\n" * ends


def test_the_next_answer_comes_over_the_same_connection(settings):
    with closing(Server(speaking(ends=True))) as server:
        settings.SELF_HOSTED_LLM_URL = f"http://127.0.0.1:{server.port}"
        assert [spoken(list(OpenAICompatible().stream(conversation()))) for _ in range(3)] == ["word"] * 3
        assert server.connections == 1


def test_a_server_that_does_not_hang_up_is_not_waited_for(settings):
    def linger(connection: socket.socket) -> None:
        connection.sendall(speaking(ends=False))
        connection.recv(1)

    settings.MODEL_SECONDS = 30
    with closing(Server(linger)) as server:
        settings.SELF_HOSTED_LLM_URL = f"http://127.0.0.1:{server.port}"
        began = time.monotonic()
        assert [spoken(list(OpenAICompatible().stream(conversation()))) for _ in range(2)] == ["word"] * 2
        assert (server.connections, time.monotonic() - began < 15) == (2, True)
