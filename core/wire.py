"""JSON in and JSON out: strict, bounded and fast.

Apart from `core.api`, because REST framework imports these classes while its views are being defined.
"""

from typing import IO, Any

import orjson
from django.conf import settings
from django.http import HttpRequest
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from core import errors

JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


class LengthRequired(errors.Problem):
    """Say how long the body is: a Content-Length is needed, chunks are not read."""

    code = "length_required"
    status = 411


def require_length(request: HttpRequest | Request) -> None:
    """Asked for every request, before anything is read: without a length WSGI takes the body for an empty one, and a
    change that holds nothing would be answered as if it had been made."""
    if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
        raise LengthRequired


class JSONRenderer(BaseRenderer):
    """JSON through orjson, which renders dates and UUIDs itself and is several times faster."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else orjson.dumps(data, default=str, option=JSON_OPTIONS)


class JSONParser(BaseParser):
    """JSON of a bounded size."""

    media_type = "application/json"

    @property
    def most(self) -> int:
        return settings.MAX_BODY_BYTES

    def parse(self, stream: IO[Any], media_type: Any = None, parser_context: Any = None) -> Any:
        body = stream.read(self.most + 1)
        if len(body) > self.most:
            raise errors.TooLarge(details={"max_bytes": self.most})
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise errors.Malformed(f"The body is not valid JSON: {error.msg} at character {error.pos}.") from error


class LongTextParser(JSONParser):
    """The same where people write at length: what is a letter to them may take six bytes, or twelve, in JSON."""

    @property
    def most(self) -> int:
        return settings.DATA_UPLOAD_MAX_MEMORY_SIZE


class OnlyJSON(BaseContentNegotiation):
    """JSON is all there is, whatever an Accept header prefers."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        kind = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        require_length(request)
        return renderers[0], renderers[0].media_type
