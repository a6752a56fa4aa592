"""Supabase Storage on loopback: buckets, objects, signed links, and its way of hiding what is wrong in a 400."""

import re
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt

from sandbox.control import Asked, Reply, Route, Sandbox

KEY_RULE = re.compile(r"[A-Za-z0-9_/!.*'() &$=@;:+,?-]+", re.ASCII)
SIGNED_WITH = "a word of the sandbox, long enough for its signatures"


@dataclass(kw_only=True)
class Stored:
    """An object."""

    body: bytes
    kind: str
    id: str = field(default_factory=lambda: str(uuid4()))
    created_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat())


class SupabaseSandbox(Sandbox):
    """A project with one private bucket. The public attributes are knobs."""

    def __init__(self, *, port: int = 0, key: str = "sandbox") -> None:
        super().__init__(port=port)
        self.key = key
        self.buckets: dict[str, dict[str, Stored]] = {"media": {}}
        self.largest, self.kinds = 50_000_000, ("image/", "video/", "application/octet-stream")

    def settings(self) -> dict[str, Any]:
        return {
            "SUPABASE_URL": self.url,
            "SUPABASE_SECRET_KEY": self.key,
            "SUPABASE_BUCKET": "media",
            "OUTBOUND_ALLOWED_HOSTS": [self.address],
        }

    def refusal(self, asked: Asked) -> Reply | None:
        if "token" in asked.query:
            return None
        right = asked.headers.get("apikey") == self.key and asked.headers.get("authorization") == f"Bearer {self.key}"
        return None if right else _wrong(403, "Unauthorized", "AccessDenied", "Invalid Compact JWS")

    def upload(self, asked: Asked, bucket: str, name: str) -> Reply:
        held = self.buckets.get(bucket)
        kind = asked.headers.get("content-type", "application/octet-stream")
        if held is None:
            return _wrong(404, "Bucket not found", "NoSuchBucket", "Bucket not found")
        if not KEY_RULE.fullmatch(name):
            return _wrong(400, "InvalidKey", "InvalidKey", f"Invalid key: {name}")
        if len(asked.body) > self.largest:
            return _wrong(413, "Payload too large", "EntityTooLarge", "The object exceeded the maximum allowed size")
        if not kind.startswith(self.kinds):
            return _wrong(415, "invalid_mime_type", "InvalidMimeType", f"mime type {kind} is not supported")
        if name in held and asked.headers.get("x-upsert") != "true":
            return _wrong(409, "Duplicate", "ResourceAlreadyExists", "The resource already exists")
        held[name] = Stored(body=asked.body, kind=kind)
        return Reply(body={"Id": held[name].id, "Key": f"{bucket}/{name}"})

    def download(self, asked: Asked, bucket: str, name: str) -> Reply:
        found = self.buckets.get(bucket, {}).get(name)
        return Reply(body=found.body, headers={"Content-Type": found.kind}) if found else _missing()

    def info(self, asked: Asked, bucket: str, name: str) -> Reply:
        found = self.buckets.get(bucket, {}).get(name)
        return Reply(body={"id": found.id, "name": name, "size": len(found.body)}) if found else _missing()

    def sign(self, asked: Asked, bucket: str, name: str) -> Reply:
        if name not in self.buckets.get(bucket, {}):
            return _missing()
        return Reply(body={"signedURL": _signed(bucket, name, asked)})

    def sign_many(self, asked: Asked, bucket: str) -> Reply:
        held = self.buckets.get(bucket, {})
        wrong = "Either the object does not exist or you do not have access to it"
        return Reply(
            body=[
                {"path": name, "signedURL": _signed(bucket, name, asked), "error": None}
                if name in held
                else {"path": name, "signedURL": None, "error": wrong}
                for name in asked.json()["paths"]
            ]
        )

    def show(self, asked: Asked, bucket: str, name: str) -> Reply:
        try:
            claims = jwt.decode(asked.query["token"][0], SIGNED_WITH, ["HS256"])
        except jwt.ExpiredSignatureError:
            return _wrong(400, "InvalidJWT", "InvalidJWT", '"exp" claim timestamp check failed')
        except jwt.InvalidTokenError:
            return _wrong(400, "InvalidSignature", "InvalidJWT", "signature verification failed")
        return self.download(asked, bucket, name) if claims["url"] == f"{bucket}/{name}" else _missing()

    def remove(self, asked: Asked, bucket: str) -> Reply:
        held = self.buckets.get(bucket, {})
        gone = [name for name in asked.json()["prefixes"] if held.pop(name, None)]
        return Reply(body=[{"name": name} for name in gone])

    def list(self, asked: Asked, bucket: str) -> Reply:
        given = asked.json()
        prefix = given["prefix"].rstrip("/") + "/" if given["prefix"] else ""
        rows: dict[str, dict[str, Any]] = {}
        for name, stored in sorted(self.buckets.get(bucket, {}).items()):
            if name.startswith(prefix):
                part, _, deeper = name.removeprefix(prefix).partition("/")
                rows[part] = {"name": part, "id": None if deeper else stored.id, "created_at": stored.created_at}
        offset = given.get("offset", 0)
        return Reply(body=[*rows.values()][offset : offset + given.get("limit", 100)])

    routes = [
        Route("info", "GET", r"/storage/v1/object/info/([^/]+)/(.+)", info),
        Route("sign", "POST", r"/storage/v1/object/sign/([^/]+)/(.+)", sign),
        Route("sign_many", "POST", r"/storage/v1/object/sign/([^/]+)", sign_many),
        Route("show", "GET", r"/storage/v1/object/sign/([^/]+)/(.+)", show),
        Route("list", "POST", r"/storage/v1/object/list/([^/]+)", list),
        Route("download", "GET", r"/storage/v1/object/authenticated/([^/]+)/(.+)", download),
        Route("upload", "POST", r"/storage/v1/object/([^/]+)/(.+)", upload),
        Route("delete", "DELETE", r"/storage/v1/object/([^/]+)", remove),
    ]


def _wrong(status: int, error: str, code: str, message: str) -> Reply:
    """Whatever is meant, the status is 400."""
    return Reply(status=400, body={"statusCode": str(status), "error": error, "code": code, "message": message})


def _signed(bucket: str, name: str, asked: Asked) -> str:
    now = int(time.time())
    claims = {"url": f"{bucket}/{name}", "iat": now, "exp": now + int(asked.json()["expiresIn"])}
    return f"/object/sign/{bucket}/{name}?token={jwt.encode(claims, SIGNED_WITH, 'HS256')}"


def _missing() -> Reply:
    return _wrong(404, "not_found", "NoSuchKey", "Object not found")
