"""The invoice that both shops print: one page that a reader can find its way through."""

import re

from sandbox.pdf import invoice_pdf, page


def test_its_table_leads_to_each_object():
    content = page(["An (odd) line", "and a \\ one"])
    start = int(re.findall(rb"startxref\n(\d+)\n", content)[0])
    assert content[start:].startswith(b"xref\n0 6\n0000000000 65535 f \n")
    places = [int(each) for each in re.findall(rb"^(\d{10}) 00000 n $", content[start:], re.MULTILINE)]
    assert [content[place:].split(b"\n")[0] for place in places] == [b"%d 0 obj" % at for at in range(1, 6)]
    [(length, stream)] = re.findall(rb"<</Length (\d+)>>stream\n(.*)\nendstream", content, re.DOTALL)
    assert int(length) == len(stream)
    assert rb"(An \(odd\) line)" in stream


def test_it_says_what_was_bought():
    content = invoice_pdf("INV-1", "Pro", 2900, "usd").body
    assert b"/Count 1" in content
    for said in (b"(Invoice INV-1)", b"(Pro)", b"(29.00 USD)"):
        assert said in content
