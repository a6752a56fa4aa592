"""The pages that Dodo on loopback shows a customer: where they pay, and where they look after what they bought."""

from html import escape
from urllib.parse import urlencode, urlsplit, urlunsplit

from sandbox.control import Reply
from sandbox.dodo_books import DECLINES, GOOD_CARD, LATER_DECLINES

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<style>
 body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 24rem; margin: 4rem auto; padding: 0 1rem; color: #1c1c28 }}
 h1 {{ font-size: 1.5rem; margin: 0 }} p {{ margin: .25rem 0 1.5rem }}
 label {{ font-size: .875rem; color: #62627a }}
 select, button {{ font: inherit; width: 100%; padding: .6rem; border: 1px solid #c9c9d6; border-radius: 6px }}
 select {{ margin: .25rem 0 1.25rem; background: #fff }}
 button {{ margin: 0 0 .5rem; background: #fff; cursor: pointer }}
 button.main {{ background: #1f5fd0; border-color: #1f5fd0; color: #fff }}
 a {{ color: #1f5fd0 }} .wrong {{ color: #b3093c }} .aside {{ font-size: .875rem; color: #62627a }}
</style></head>
<body><p class="aside">A sandbox stands in for Dodo Payments: no card is needed, and no money moves.</p>
<h1>{title}</h1>
{body}
</body></html>
"""
FORM = """<p>{what}</p>{wrong}<form method="post">
<label for="card">Card</label><select id="card" name="card">{cards}</select>
<button class="main" name="action" value="pay">{pay}</button>
<button name="action" value="decline">Decline</button>
<button name="action" value="cancel">Cancel</button></form>"""
PORTAL = """<form method="post">{rows}</form>{back}"""
ROW = """<p>{what} <button name="{action}" value="{id}">{label}</button></p>"""
BACK = """<p><a href="{}">Back to the shop</a></p>"""
DECLINED_CARD = next(iter(DECLINES))
SAID = {number: code.lower().replace("_", " ") for number, code in DECLINES.items()}
CARDS = {GOOD_CARD: "is accepted", **dict.fromkeys(LATER_DECLINES, "pays once, then is declined"), **SAID}


def page(title: str, body: str, *, status: int = 200) -> Reply:
    text = PAGE.format(title=escape(title), body=body)
    return Reply(status=status, body=text.encode(), headers={"Content-Type": "text/html; charset=utf-8"})


def checkout(title: str, what: str = "", *, pay: str = "Pay", wrong: str = "", status: int = 200) -> Reply:
    options = "".join(f'<option value="{number}">{number}: {means}</option>' for number, means in CARDS.items())
    said = f'<p class="wrong" role="alert">{escape(wrong)}</p>' if wrong else ""
    return page(title, FORM.format(what=escape(what), wrong=said, cards=options, pay=escape(pay)), status=status)


def portal(rows: list[tuple[str, str, str, str]], back: str) -> Reply:
    said = "".join(
        ROW.format(what=escape(what), action=escape(action), id=escape(thing_id), label=escape(label))
        for what, action, thing_id, label in rows
    )
    return page("Your subscriptions", PORTAL.format(rows=said, back=BACK.format(escape(back)) if back else ""))


def gone(back: str = "") -> Reply:
    words = "<p>It was answered before, or its time is over. The shop knows which, and opens another.</p>"
    return page("This page has been used", words + (BACK.format(escape(back)) if back else ""), status=410)


def away(url: str, **hints: str) -> Reply:
    """Back to the shop. What the address says is only a hint."""
    if not url:
        return page("Thank you", "<p>You may close this page.</p>")
    return Reply(status=303, body=b"", headers={"Location": hinted(url, **hints)})


def hinted(url: str, **hints: str) -> str:
    parts = urlsplit(url)
    query = "&".join(filter(None, [parts.query, urlencode(hints)]))
    return urlunsplit(parts._replace(query=query))
