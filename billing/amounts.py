"""How a sum of money is written: providers count the smallest coin, and not every currency has a hundred of them."""

from decimal import Decimal

# https://docs.stripe.com/currencies#zero-decimal, #three-decimal and #special-cases: a shilling of Uganda, which has no
# coins either, is counted there as a hundred of them.
WITHOUT_COINS = {
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF",
}  # fmt: skip
A_THOUSAND_COINS = {"BHD", "JOD", "KWD", "OMR", "TND"}


def told(amount: int, currency: str) -> str:
    """As people write it: 1,234.50 USD."""
    places = _places(currency)
    return f"{Decimal(amount).scaleb(-places):,.{places}f} {currency}"


def plain(amount: int, currency: str) -> Decimal:
    return Decimal(amount).scaleb(-_places(currency))


def in_coins(amount: Decimal, currency: str) -> int | None:
    """The other way; None where there is no coin so small."""
    coins = amount.scaleb(_places(currency))
    return int(coins) if coins == coins.to_integral_value() else None


def _places(currency: str) -> int:
    if currency in WITHOUT_COINS:
        return 0
    return 3 if currency in A_THOUSAND_COINS else 2
