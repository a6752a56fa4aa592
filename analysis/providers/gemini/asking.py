"""One answer's worth of calls to Gemini: the SDK's client, what is left of the time, and its troubles in our words."""

import importlib
import os
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from typing import Any

import httpx
from django.conf import settings

from analysis.providers.contract import Medium
from analysis.providers.gemini.problems import Asked, problem_of
from analysis.providers.gemini.transport import DoorTransport
from core.errors import VendorAnswerInvalid, VendorRefused, VendorTimeout

# Written out, for the SDK's default has changed before. Aliases such as "-latest" are on v1beta only.
API_VERSION = "v1"
FORGET_SECONDS = 5.0
FIRST_LOOK, LONGEST_LOOK = 0.25, 3.0
# What the SDK raises for a body that is not what it expects, besides its own errors.
UNREADABLE = (ValueError, TypeError, AttributeError, LookupError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """With which key, which model, and until when."""

    key: str
    model: str
    ends: float

    def generate(self, contents: Sequence[Any], config: dict[str, Any]) -> Any:
        with understood(self):
            return self._client.models.generate_content(
                model=self.model, contents=contents, config=config | self._options()
            )

    def generate_stream(self, contents: Sequence[Any], config: dict[str, Any]) -> Generator[Any]:
        with understood(self):
            yield from self._client.models.generate_content_stream(
                model=self.model, contents=contents, config=config | self._options()
            )

    def upload(self, medium: Medium) -> Any:
        with understood(self):
            return self._client.files.upload(
                file=BytesIO(medium.data), config={"mime_type": medium.media_type, **self._options()}
            )

    def wait_for(self, file: Any) -> Any:
        """Google looks through a video before it may be used."""
        pause = FIRST_LOOK
        while (state := word(file.state)) != "ACTIVE":
            if state == "FAILED":
                raise VendorRefused(details={"problem": "Gemini cannot read the file."})
            time.sleep(min(pause, self.left()))
            pause = min(pause * 2, LONGEST_LOOK)
            with understood(self):
                file = self._client.files.get(name=file.name, config=self._options())
        return file

    def forget(self, name: str) -> None:
        with understood(self):
            self._client.files.delete(name=name, config={"http_options": {"timeout": int(FORGET_SECONDS * 1000)}})

    def left(self) -> float:
        if (left := self.ends - time.monotonic()) <= 0:
            raise VendorTimeout(details={"seconds": settings.MODEL_SECONDS})
        return left

    def _options(self) -> dict[str, Any]:
        # In milliseconds. Without it the SDK would wait for ever.
        return {"http_options": {"timeout": max(int(self.left() * 1000), 1)}}

    @property
    def _client(self) -> Any:
        return client(os.getpid(), self.key, settings.GEMINI_URL)


@cache
def client(process: int, key: str, url: str) -> Any:
    """One for a key and a process. The SDK takes 1.1 s and 61 MB to import: only who asks a model pays for it."""
    genai: Any = importlib.import_module("google.genai")
    options = {
        "base_url": url,
        "api_version": API_VERSION,
        "timeout": settings.MODEL_SECONDS * 1000,
        # No proxies from the environment: they would lead past the door.
        "httpx_client": httpx.Client(transport=DoorTransport(), trust_env=False),
    }
    return genai.Client(api_key=key, vertexai=False, http_options=options)


@contextmanager
def understood(asking: Asking) -> Iterator[None]:
    """Our own errors pass through the SDK unchanged; what it raises itself is of an answer under status 200."""
    sdk: Any = importlib.import_module("google.genai.errors")
    try:
        yield
    except sdk.APIError as error:
        raise problem_of(error.code or 0, error.details, Asked(model=asking.model, key=asking.key)) from None
    except UNREADABLE as error:
        raise VendorAnswerInvalid(details={"problem": type(error).__name__}) from None


def word(value: Any) -> str:
    """Of one of the SDK's enums; a word it does not know is one too."""
    return str(getattr(value, "value", value) or "")
