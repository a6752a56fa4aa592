"""The pages that Stripe hosts: where one pays, and where one changes the card."""

from html import escape
from urllib.parse import parse_qs

from sandbox.coins import told
from sandbox.control import Reply
from sandbox.stripe_wire import Row

HTML = {"Content-Type": "text/html; charset=utf-8"}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="icon" href="data:,">
<style>
 body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 26rem; margin: 4rem auto; padding: 0 1rem; color: #1a1f36 }}
 button {{ font: inherit; width: 100%; margin: .25rem 0; padding: .6rem; border: 1px solid #ccc; border-radius: 6px }}
 button.main {{ background: #635bff; border-color: #635bff; color: #fff }}
 .wrong {{ color: #b3093c }} .aside {{ color: #687385; font-size: .875rem }}
</style></head>
<body><p class="aside">Stripe's sandbox: no card is needed, and no money moves.</p>
<h1>{title}</h1>{said}
<form method="post">{buttons}</form></body></html>"""
BUTTON = '<button name="action" value="{}" class="{}">{}</button>'


def chosen(body: bytes) -> str:
    return parse_qs(body.decode("utf-8", "replace")).get("action", [""])[0]


def checkout(session: Row, price: Row, *, wrong: str = "") -> Reply:
    cost = f"{told(price['unit_amount'], price['currency'])} each {price['recurring']['interval']}"
    said = f"<p>{escape(price['product'])}: {escape(cost)}</p>"
    said += f'<p class="aside">{escape(session["customer_email"] or "")}</p>' if session["customer_email"] else ""
    return _page("Subscribe", said, [("pay", "Pay"), ("decline", "Decline"), ("cancel", "Cancel")], wrong=wrong)


def card(*, wrong: str = "") -> Reply:
    return _page("Your card", "", [("replace", "Use a new card"), ("back", "Go back")], wrong=wrong)


def closed(status: str) -> Reply:
    return _page("All done" if status == "complete" else "This page has expired", "", [])


def leave(address: str) -> Reply:
    return Reply(status=303, body=b"", headers={**HTML, "Location": address})


def _page(title: str, said: str, buttons: list[tuple[str, str]], *, wrong: str = "") -> Reply:
    said += f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    shown = "".join(
        BUTTON.format(value, "main" if place == 0 else "", words) for place, (value, words) in enumerate(buttons)
    )
    return Reply(body=PAGE.format(title=title, said=said, buttons=shown).encode(), headers=HTML)
