"""JSON in and JSON out: strict, bounded and fast.

Apart from `core.api`, because REST framework imports these classes while its views are being defined.
"""

from typing import IO, Any

import orjson
from django.conf import settings
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from core import errors

JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


class JSONRenderer(BaseRenderer):
    """JSON through orjson, which renders dates and UUIDs itself and is several times faster."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else orjson.dumps(data, default=str, option=JSON_OPTIONS)


class JSONParser(BaseParser):
    """JSON of a bounded size, refused where PostgreSQL could not store it."""

    media_type = "application/json"

    def parse(self, stream: IO[Any], media_type: Any = None, parser_context: Any = None) -> Any:
        body = stream.read(settings.MAX_BODY_BYTES + 1)
        if len(body) > settings.MAX_BODY_BYTES:
            raise errors.TooLarge(details={"max_bytes": settings.MAX_BODY_BYTES})
        try:
            data = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise errors.Malformed(f"The body is not valid JSON: {error.msg} at character {error.pos}.") from error
        # Escaped or not, a NUL cannot be stored as text; refused here, no view has to think of it.
        if b"\\u0000" in body and _holds_nul(data):
            raise errors.Malformed("The body holds a NUL character.")
        return data


def _holds_nul(data: Any) -> bool:
    if isinstance(data, str):
        return "\x00" in data
    if isinstance(data, dict):
        return any(_holds_nul(key) or _holds_nul(value) for key, value in data.items())
    return isinstance(data, list) and any(map(_holds_nul, data))


class OnlyJSON(BaseContentNegotiation):
    """JSON is all there is, whatever an Accept header prefers."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        kind = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type
