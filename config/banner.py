"""What `make run` says once everything is up."""

from typing import TYPE_CHECKING

from django.apps import apps
from django.conf import settings

from config.parts import Part, installed_parts
from config.stand_ins import is_stood_in_for

if TYPE_CHECKING:
    from accounts.demo import Demo

# One of the posts that are shipped: explained without any key, and offline.
SAMPLE = "https://youtu.be/WhyralDmo0I"


def banner(*, url: str, demo: "Demo") -> str:
    lines = [
        "",
        f"  Whyral is ready: {url}",
        "",
        f"  docs      {url}/api/docs/",
        f"  admin     {url}/admin/",
        f"            {demo.admin_email}  {_password(demo.admin_password, again='make admin-password')}",
        f"  demo user {demo.email}  {_password(demo.password, again='')}",
        "",
        *_table(installed_parts({config.name for config in apps.get_app_configs()})),
        "",
        *_tries(url, demo),
        "",
        "  Ctrl-C stops everything.",
        "",
    ]
    return "\n".join(lines)


def _password(password: str | None, *, again: str) -> str:
    if password:
        return f"password {password}  (shown only this once)"
    return f"password: as shown at the first start{f'; a new one: {again}' if again else ''}"


def _table(parts: list[Part]) -> list[str]:
    heading = f"  {'part':<10}{'runs on':<28}to switch, set"
    return [heading, *(_row(part) for part in parts)]


def _row(part: Part) -> str:
    if switch := part.switched_by:
        why = "a sandbox stands in" if is_stood_in_for(switch) else f"{switch} is set"
        return f"  {part.name:<10}{part.real:<28}({why})"
    return f"  {part.name:<10}{part.by_itself:<28}{' or '.join(part.switches)} for {part.real}"


def _tries(url: str, demo: "Demo") -> list[str]:
    curl = _command(url, demo)
    if not settings.SAMPLE_POSTS:
        return [f"  Try:  {curl}"]
    return [f"  Try:  .venv/bin/python manage.py analyze {SAMPLE}", f"        {curl}"]


def _command(url: str, demo: "Demo") -> str:
    if settings.IDENTITY_PROVIDER != "local":
        return f"curl -s {url}/api/accounts/plans/"
    token = f"$(.venv/bin/python manage.py token {demo.email})"
    return f'curl -s {url}/api/accounts/me/ -H "Authorization: Bearer {token}"'
