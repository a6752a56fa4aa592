"""An invoice as a PDF of one page, by hand: what a reader needs to open it, and no more."""

from sandbox.coins import told
from sandbox.control import Reply

# https://opensource.adobe.com/dc-acrobat-sdk-docs/pdfstandards/PDF32000_2008.pdf (7.5, file structure)
AROUND = (
    b"<</Type/Catalog/Pages 2 0 R>>",
    b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
    b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 5 0 R/Resources<</Font<</F1 4 0 R>>>>>>",
    b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
)


def invoice_pdf(number: str, what: str, amount: int, currency: str) -> Reply:
    lines = [f"Invoice {number}", what, told(amount, currency)]
    return Reply(body=page(lines), headers={"Content-Type": "application/pdf"})


def page(lines: list[str]) -> bytes:
    shown = b"".join(b"(%s) Tj T*\n" % _text(line) for line in lines)
    stream = b"BT /F1 14 Tf 22 TL 72 720 Td\n%sET" % shown
    body, places = b"%PDF-1.4\n", []
    for at, each in enumerate([*AROUND, b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream)], start=1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (at, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    count = len(places) + 1
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (count, len(body))
    return body + b"xref\n0 %d\n0000000000 65535 f \n" % count + table + end


def _text(line: str) -> bytes:
    return line.encode("cp1252", "replace").replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")
