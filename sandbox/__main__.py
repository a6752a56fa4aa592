"""`python -m sandbox brightdata=9101 twitterapi=9102`: vendors' sandboxes on these ports, until they are stopped."""

import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack

from sandbox.brightdata import BrightDataSandbox
from sandbox.control import Sandbox
from sandbox.dodo import DodoSandbox
from sandbox.dodo_account import SECRET
from sandbox.gemini import GeminiSandbox
from sandbox.openai_compatible import OpenAICompatibleSandbox
from sandbox.stripe import StripeSandbox
from sandbox.supabase import SupabaseSandbox
from sandbox.twitterapi import TwitterApiSandbox
from sandbox.youtube_api import YouTubeApiSandbox

# Each takes the key "sandbox", and makes up whatever it is asked for.
SANDBOXES: dict[str, Callable[[int], Sandbox]] = {
    "brightdata": lambda port: BrightDataSandbox(port=port),
    "twitterapi": lambda port: TwitterApiSandbox(port=port, invents=True),
    "stripe": lambda port: StripeSandbox(port=port),
    "supabase": lambda port: SupabaseSandbox(port=port),
    "youtube_api": lambda port: YouTubeApiSandbox(port=port, invents=True),
    "dodo": lambda port: DodoSandbox(port=port, key="sandbox", webhook_secret=SECRET, invents=True),
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
