"""Where Dodo on loopback keeps its books from one run to the next: one file, whole at any moment."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from sandbox.dodo_books import Books, Charge, stamp

# Of products and faults it is told anew each time.
KEPT = ("customers", "methods", "subscriptions", "payments", "refunds", "disputes", "wallet")


def put_away(books: Books, file: Path) -> None:
    content = {name: getattr(books, name) for name in KEPT}
    sessions = {each["id"]: each | {"created": stamp(each["created"])} for each in books.sessions.values()}
    content |= {"sessions": sessions, "charges": [asdict(each) for each in books.charges]}
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    # It names customers.
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(content))
    fresh.replace(file)


def take_down(books: Books, file: Path) -> None:
    if not file.exists():
        return
    content = json.loads(file.read_text())
    for name in KEPT:
        getattr(books, name).update(content[name])
    for each in content["sessions"].values():
        books.sessions[each["id"]] = each | {"created": datetime.fromisoformat(each["created"])}
    books.charges.extend(Charge(**each) for each in content["charges"])
