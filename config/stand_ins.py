"""`SANDBOX=brightdata,twitterapi make run`: vendors that a local server stands in for, with invented records.

Who takes the money is stood in for unasked, where nobody real does and the database is this checkout's own.
"""

import base64
import hashlib
import json
import os
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from config.children import Child
from config.env import database_url, env, local_dir

KEY = "sandbox"
SHOP = "dodo"
SHOPS = ("DODO_API_KEY", "STRIPE_SECRET_KEY")


@dataclass(frozen=True, slots=True)
class StandIn:
    """Which variables lead to a vendor, what stands behind its address, and where its webhooks go."""

    url: str
    key: str
    path: str = ""
    signed_by: str = ""
    webhook: str = ""


STAND_INS = {
    "brightdata": StandIn("BRIGHTDATA_URL", "BRIGHTDATA_API_KEY"),
    "twitterapi": StandIn("TWITTERAPI_URL", "TWITTERAPI_KEY"),
    "supabase": StandIn("SUPABASE_URL", "SUPABASE_SECRET_KEY"),
    "youtube_api": StandIn("YOUTUBE_API_URL", "YOUTUBE_API_KEY", "/youtube/v3"),
    "gemini": StandIn("GEMINI_URL", "GEMINI_API_KEY"),
    "openai_compatible": StandIn("SELF_HOSTED_LLM_URL", "SELF_HOSTED_LLM_KEY", "/v1"),
    SHOP: StandIn("DODO_URL", "DODO_API_KEY", signed_by="DODO_WEBHOOK_SECRET", webhook="/api/billing/webhook/dodo/"),
}


class CannotStandIn(Exception):
    """SANDBOX names a vendor that nothing stands in for, or is set where nothing may."""


def stand_in(*, api: str) -> Child | None:
    """Lead our processes to the vendors named, unless a key of theirs is set, and say what to start for it."""
    wanted = [name for name in _wanted() if not os.environ.get(STAND_INS[name].key)]
    ports = {name: _free_port(_usual_port() if name == SHOP else 0) for name in wanted}
    for name, port in ports.items():
        _lead_to(STAND_INS[name], port)
    asked = [f"{name}={port}" for name, port in ports.items()]
    known = {"SANDBOX_WEBHOOK": f"{api}{STAND_INS[SHOP].webhook}", "SANDBOX_BOOKS": str(books())}
    return Child("sandbox", [sys.executable, "-m", "sandbox", *asked], known) if asked else None


def sells(child: Child, products: list[dict[str, Any]]) -> Child:
    """The same, once it is known what there is to buy."""
    child.environment["SANDBOX_PRODUCTS"] = json.dumps(products)
    return child


def books() -> Path:
    """Those of the database in use: what was bought is known as long as whoever bought it, and to no other one."""
    at = urlsplit(database_url())
    place = hashlib.sha256(f"{at.hostname}:{at.port}{at.path}".encode()).hexdigest()[:12] if at.path else "embedded"
    return local_dir().resolve() / "sandbox" / f"{SHOP}-{place}.json"


def plays_shop() -> bool:
    """Whether it sells unasked, here and now."""
    is_bare = env.bool("DEBUG", default=False) and not database_url()
    return is_bare and not any(os.environ.get(key) and not is_stood_in_for(key) for key in SHOPS)


def _wanted() -> list[str]:
    named = env.list("SANDBOX", default=[])
    if unknown := {*named} - {*STAND_INS}:
        known = ", ".join(STAND_INS)
        raise CannotStandIn(f"SANDBOX names {', '.join(sorted(unknown))}; what can be stood in for: {known}.")
    if named and not env.bool("DEBUG", default=False):
        raise CannotStandIn("SANDBOX is for development, and DEBUG is off.")
    return [*named, *([SHOP] if plays_shop() and SHOP not in named else [])]


def is_stood_in_for(variable: str) -> bool:
    """Whether it was set by us, to lead to a stand-in."""
    return any(variable in (each.url, each.key) and os.environ.get(each.key) == KEY for each in STAND_INS.values())


def _lead_to(vendor: StandIn, port: int) -> None:
    if vendor.signed_by:
        # Another one each time: nobody who can reach us knows it.
        os.environ[vendor.signed_by] = f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"
    allowed = os.environ.get("OUTBOUND_ALLOWED_HOSTS", "")
    os.environ |= {
        vendor.url: f"http://127.0.0.1:{port}{vendor.path}",
        vendor.key: KEY,
        "OUTBOUND_ALLOWED_HOSTS": ",".join(filter(None, [allowed, f"127.0.0.1:{port}"])),
    }


def _usual_port() -> int:
    """The same at each start, of those that are not given out at random: a checkout that is open survives a new one."""
    return 20_000 + int(hashlib.sha256(str(books()).encode()).hexdigest(), 16) % 10_000


def _free_port(wanted: int) -> int:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", wanted))
        except OSError:
            listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
