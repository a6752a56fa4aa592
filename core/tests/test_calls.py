"""Finished calls are announced with what they cost and on whose behalf they were made."""

from uuid import uuid4

import pytest
import structlog

from core import errors
from core.calls import Audience, Behalf, VendorCall, on_behalf_of
from core.http import Answer
from core.tests.servers import Serve, Visitor, reply


def tokens(answer: Answer) -> dict[str, int]:
    return {"input_tokens": answer.json()["tokens"]}


def test_it_keeps_what_an_answer_costs_though_the_caller_then_fails(serve: Serve, visitor: Visitor) -> None:
    with pytest.raises(errors.VendorRefused):
        visitor.ask(serve(reply(b'{"tokens": 7}', status=400)), model="m-1", units=tokens).require_success()
    (record,) = visitor.records
    assert (record.model, record.units, record.outcome) == ("m-1", {"input_tokens": 7}, "vendor_refused")
    assert record.error == '{"tokens": 7}'


def test_it_gives_the_answer_though_its_cost_cannot_be_read(serve: Serve, visitor: Visitor) -> None:
    assert visitor.ask(serve(reply(b'{"a": 1}')), units=tokens).status == 200
    assert visitor.records[0].units == {}


def test_it_keeps_what_a_stream_turns_out_to_cost(serve: Serve, visitor: Visitor) -> None:
    server = serve(reply(b"data"))
    with visitor.door.stream(vendor="a", operation="b", url=server.url) as incoming:
        assert b"".join(incoming) == b"data"
        incoming.units["output_tokens"] = 3
    assert visitor.records[0].units == {"output_tokens": 3}


def test_it_says_why_a_call_failed(serve: Serve, visitor: Visitor) -> None:
    with pytest.raises(errors.VendorUnavailable):
        visitor.ask(serve(reply(status=503)), method="POST")
    assert visitor.records[0].error == "An outside service is not available just now. {'status': 503}"


def test_a_vendor_that_repeats_our_key_does_not_put_it_on_record(serve: Serve, visitor: Visitor) -> None:
    server = serve(reply(b"plainkey99 and otherkey88 are wrong", status=403))
    visitor.ask(server, headers={"authorization": "Bearer plainkey99"}, params={"k": "otherkey88"})
    assert visitor.records[0].error == "[redacted] and [redacted] are wrong"


def test_it_knows_on_whose_behalf_a_call_is_made(serve: Serve, visitor: Visitor) -> None:
    server, user, chat = serve(reply()), uuid4(), uuid4()
    with on_behalf_of(user_id=user, chat_id=chat), structlog.contextvars.bound_contextvars(request_id="a-request"):
        visitor.ask(server)
    visitor.ask(server)
    assert [record.behalf for record in visitor.records] == [Behalf(user_id=user, chat_id=chat), Behalf()]
    assert visitor.records[0].request_id == "a-request"


def test_an_adapter_with_a_library_of_its_own_announces_its_calls_too() -> None:
    audience = Audience()
    heard: list[VendorCall] = []
    audience.on_call(heard.append)
    call = VendorCall(vendor="gemini", operation="explain", outcome="ok", duration_ms=9, units={"input_tokens": 5})
    audience.announce(call)
    assert heard == [call]
