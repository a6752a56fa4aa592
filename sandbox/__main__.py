"""`python -m sandbox brightdata=9101 twitterapi=9102`: vendors' sandboxes on these ports, until they are stopped.

Dodo's looks into the environment for what `make run` wants of it: SANDBOX_PRODUCTS, what is sold, as JSON;
SANDBOX_WEBHOOK, who is told; DODO_WEBHOOK_SECRET, how that is signed; SANDBOX_BOOKS, the file that outlasts it.
"""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from sandbox.brightdata import BrightDataSandbox
from sandbox.control import Sandbox
from sandbox.dodo import DodoSandbox
from sandbox.dodo_account import SECRET
from sandbox.dodo_books import Product
from sandbox.gemini import GeminiSandbox
from sandbox.openai_compatible import OpenAICompatibleSandbox
from sandbox.stripe import StripeSandbox
from sandbox.supabase import SupabaseSandbox
from sandbox.twitterapi import TwitterApiSandbox
from sandbox.youtube_api import YouTubeApiSandbox

LOOKS_AT_THE_CLOCK = 60.0  # seconds


def dodo(port: int) -> DodoSandbox:
    products = [Product(**each) for each in json.loads(os.environ.get("SANDBOX_PRODUCTS") or "[]")]
    file = os.environ.get("SANDBOX_BOOKS")
    sandbox = DodoSandbox(
        port=port,
        key="sandbox",
        invents=not products,
        webhook_url=os.environ.get("SANDBOX_WEBHOOK", ""),
        webhook_secret=os.environ.get("DODO_WEBHOOK_SECRET") or SECRET,
        file=Path(file) if file else None,
    )
    sandbox.books.products |= {each.id: each for each in products}
    # Whoever listens may be starting anew just now.
    sandbox.post.pauses = (1.0, 10.0)
    # Before anybody asks: what fell due while it was away.
    sandbox.catch_up()
    threading.Thread(target=_let_time_pass, args=(sandbox,), daemon=True).start()
    return sandbox


def _let_time_pass(sandbox: DodoSandbox) -> None:
    while True:
        time.sleep(LOOKS_AT_THE_CLOCK)
        sandbox.catch_up()


# Each takes the key "sandbox", and makes up whatever it is asked for.
SANDBOXES: dict[str, Callable[[int], Sandbox]] = {
    "brightdata": lambda port: BrightDataSandbox(port=port),
    "twitterapi": lambda port: TwitterApiSandbox(port=port, invents=True),
    "stripe": lambda port: StripeSandbox(port=port),
    "supabase": lambda port: SupabaseSandbox(port=port),
    "youtube_api": lambda port: YouTubeApiSandbox(port=port, invents=True),
    "dodo": dodo,
    "gemini": lambda port: GeminiSandbox(port=port),
    "openai_compatible": lambda port: OpenAICompatibleSandbox(port=port, key="sandbox"),
}
ENDINGS = {signal.SIGINT, signal.SIGTERM}


def main(asked: list[str]) -> None:
    with ExitStack() as running:
        for name, _, port in (each.partition("=") for each in asked):
            sandbox = running.enter_context(SANDBOXES[name](int(port)))
            sys.stdout.write(f"{name}: {sandbox.url}\n")
        sys.stdout.flush()
        signal.sigwait(ENDINGS)


if __name__ == "__main__":
    # Before any thread is started, so that none of them takes the signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    main(sys.argv[1:])
