"""The pages that Dodo on loopback shows a customer: where they pay, and where they look after what they bought."""

from html import escape
from urllib.parse import urlencode, urlsplit, urlunsplit

from sandbox.control import Reply
from sandbox.dodo_books import DECLINES, GOOD_CARD, LATER_DECLINES

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>body{{font:16px system-ui;max-width:26rem;margin:4rem auto;padding:0 1rem}}
button{{font:inherit;margin:.5rem .5rem 0 0;padding:.5rem 1rem}}</style>
<h1>{title}</h1><p>This is a sandbox: nothing is charged.</p>
{body}
</html>
"""
FORM = """<p>{what}</p><form method="post">
<label>Card <select name="card">{cards}</select></label><br>
<button name="action" value="pay">Pay</button><button name="action" value="decline">Decline</button>
<button name="action" value="cancel" formnovalidate>Cancel</button></form>"""
PORTAL = """<form method="post">{rows}</form>{back}"""
ROW = """<p>{what} <button name="{action}" value="{id}">{label}</button></p>"""
DECLINED_CARD = next(iter(DECLINES))
CARDS = [GOOD_CARD, *(number for number in LATER_DECLINES if number not in DECLINES), *DECLINES]


def page(title: str, body: str, *, status: int = 200) -> Reply:
    text = PAGE.format(title=escape(title), body=body)
    return Reply(status=status, body=text.encode(), headers={"Content-Type": "text/html; charset=utf-8"})


def checkout(what: str) -> Reply:
    options = "".join(f'<option value="{number}">{number}</option>' for number in CARDS)
    return page("Checkout", FORM.format(what=escape(what), cards=options))


def portal(rows: list[tuple[str, str, str, str]], back: str) -> Reply:
    said = "".join(
        ROW.format(what=escape(what), action=escape(action), id=escape(thing_id), label=escape(label))
        for what, action, thing_id, label in rows
    )
    link = f'<p><a href="{escape(back)}">Return</a></p>' if back else ""
    return page("Your subscriptions", PORTAL.format(rows=said, back=link))


def gone() -> Reply:
    return page("This page has been used", "<p>Please begin again.</p>", status=410)


def away(url: str, **hints: str) -> Reply:
    """Back to the shop. What the address says is only a hint."""
    if not url:
        return page("Thank you", "<p>You may close this page.</p>")
    parts = urlsplit(url)
    query = "&".join(filter(None, [parts.query, urlencode(hints)]))
    return Reply(status=303, body=b"", headers={"Location": urlunsplit(parts._replace(query=query))})
