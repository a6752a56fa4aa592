"""How a sum is written on the pages here: not every currency has a hundred coins, and some have none."""

WITHOUT_COINS = {"CLP", "JPY", "KRW", "PYG", "VND", "XAF", "XOF", "XPF"}
A_THOUSAND_COINS = {"BHD", "JOD", "KWD", "OMR", "TND"}


def told(amount: int, currency: str) -> str:
    name = currency.upper()
    places = 0 if name in WITHOUT_COINS else 3 if name in A_THOUSAND_COINS else 2
    return f"{amount / 10**places:,.{places}f} {name}"
