"""Numbers as people read them: thousands set apart, no more digits than say something."""


def amount(value: float) -> str:
    """21000 as 21,000; what is not whole keeps one digit."""
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def times(value: float) -> str:
    """A multiple or a rate: 8.4, 0.15, 1,234."""
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 0.1 or value == 0:
        return f"{value:.1f}".removesuffix(".0") if value >= 10 else f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:.2g}"


def span(hours: float) -> str:
    """How long: in hours for two days, then in days."""
    if hours < 1:
        return "less than an hour"
    number, unit = (int(hours), "hour") if hours < 48 else (int(hours / 24), "day")
    return f"{number:,} {unit}" + ("" if number == 1 else "s")


def clock(seconds: float) -> str:
    """75 seconds as 1:15, two hours as 2:00:00."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def counted(number: float, noun: str) -> str:
    """1 post, 3 posts."""
    return f"{amount(number)} {noun}" + ("" if number == 1 else "s")
