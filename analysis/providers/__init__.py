"""Whoever can explain a post: which analysts there are. Who is asked, and in which order, is in the settings."""

from analysis.providers.contract import Provider
from analysis.providers.gemini import Gemini
from analysis.providers.openai_compatible import OpenAICompatible
from analysis.providers.rules import Rules

PROVIDERS: dict[str, type[Provider]] = {"gemini": Gemini, "openai_compatible": OpenAICompatible, "rules": Rules}
