"""`SANDBOX=brightdata,twitterapi make run`: vendors that a local server stands in for, with invented records."""

import os
import socket
import sys
from dataclasses import dataclass

from config.children import Child
from config.env import env

KEY = "sandbox"


@dataclass(frozen=True, slots=True)
class StandIn:
    """Which variables lead to a vendor, and what stands behind its address."""

    url: str
    key: str
    path: str = ""


STAND_INS = {
    "brightdata": StandIn("BRIGHTDATA_URL", "BRIGHTDATA_API_KEY"),
    "twitterapi": StandIn("TWITTERAPI_URL", "TWITTERAPI_KEY"),
    "supabase": StandIn("SUPABASE_URL", "SUPABASE_SECRET_KEY"),
    "youtube_api": StandIn("YOUTUBE_API_URL", "YOUTUBE_API_KEY", "/youtube/v3"),
    "gemini": StandIn("GEMINI_URL", "GEMINI_API_KEY"),
    "openai_compatible": StandIn("SELF_HOSTED_LLM_URL", "SELF_HOSTED_LLM_KEY", "/v1"),
}


class UnknownStandIn(Exception):
    """SANDBOX names a vendor that nothing stands in for."""


def stand_in() -> Child | None:
    """Lead our processes to the vendors named, unless a key of theirs is set, and say what to start for it."""
    named = env.list("SANDBOX", default=[])
    if unknown := {*named} - {*STAND_INS}:
        known = ", ".join(STAND_INS)
        raise UnknownStandIn(f"SANDBOX names {', '.join(sorted(unknown))}; what can be stood in for: {known}.")
    ports = {name: _free_port() for name in named if not os.environ.get(STAND_INS[name].key)}
    for name, port in ports.items():
        _lead_to(STAND_INS[name], port)
    asked = [f"{name}={port}" for name, port in ports.items()]
    return Child("sandbox", [sys.executable, "-m", "sandbox", *asked]) if asked else None


def is_stood_in_for(variable: str) -> bool:
    """Whether it was set by us, to lead to a stand-in."""
    return any(variable in (each.url, each.key) and os.environ.get(each.key) == KEY for each in STAND_INS.values())


def _lead_to(vendor: StandIn, port: int) -> None:
    allowed = os.environ.get("OUTBOUND_ALLOWED_HOSTS", "")
    os.environ |= {
        vendor.url: f"http://127.0.0.1:{port}{vendor.path}",
        vendor.key: KEY,
        "OUTBOUND_ALLOWED_HOSTS": ",".join(filter(None, [allowed, f"127.0.0.1:{port}"])),
    }


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
