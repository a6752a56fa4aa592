"""The pages that Stripe hosts: where one pays, where one changes the card, and an invoice as a PDF."""

from html import escape
from urllib.parse import parse_qs

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
    cost = f"{price['unit_amount'] / 100:,.2f} {price['currency'].upper()} each {price['recurring']['interval']}"
    said = f"<p>{escape(price['product'])}: {escape(cost)}</p>"
    said += f'<p class="aside">{escape(session["customer_email"] or "")}</p>' if session["customer_email"] else ""
    return _page("Subscribe", said, [("pay", "Pay"), ("decline", "Decline"), ("cancel", "Cancel")], wrong=wrong)


def card(*, wrong: str = "") -> Reply:
    return _page("Your card", "", [("replace", "Use a new card"), ("back", "Go back")], wrong=wrong)


def closed(status: str) -> Reply:
    return _page("All done" if status == "complete" else "This page has expired", "", [])


def leave(address: str) -> Reply:
    return Reply(status=303, body=b"", headers={**HTML, "Location": address})


def pdf(invoice: Row) -> Reply:
    text = f"Invoice {invoice['number']}: {invoice['total'] / 100:.2f} {invoice['currency'].upper()}"
    stream = f"BT /F1 14 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body = b"%PDF-1.4\n" + b"".join(b"%d 0 obj%s endobj\n" % (at, each) for at, each in enumerate(objects, start=1))
    return Reply(body=body + b"trailer<</Root 1 0 R>>\n%%EOF\n", headers={"Content-Type": "application/pdf"})


def _page(title: str, said: str, buttons: list[tuple[str, str]], *, wrong: str = "") -> Reply:
    said += f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    shown = "".join(
        BUTTON.format(value, "main" if place == 0 else "", words) for place, (value, words) in enumerate(buttons)
    )
    return Reply(body=PAGE.format(title=title, said=said, buttons=shown).encode(), headers=HTML)
