"""Whoever can explain a post: which analysts there are. Who is asked, and in which order, is in the settings."""

from analysis.providers.contract import Provider
from analysis.providers.rules import Rules

PROVIDERS: dict[str, type[Provider]] = {"rules": Rules}
