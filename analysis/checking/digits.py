"""Numbers as other people and other countries write them, in the digits that ours are written in."""

import re

USUALLY = r"median|usual|baseline|average|typical|normal"
MULTIPLES = {"twice": "2x", "doubled?": "2x", "triple[ds]?": "3x", "thrice": "3x", "ten times": "10x"}
ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
WORTH = {word: place for place, word in enumerate(ONES, start=1)} | {"a": 1, "an": 1}
WORTH |= {word: 10 * place for place, word in enumerate(TENS, start=2)}
# In words where their size stands behind them: "five million", "twenty-five thousand", "half a million".
NUMBER = "|".join([rf"(?:{'|'.join(TENS)})(?:[\s-](?:{'|'.join(ONES[:9])}))?", *ONES[::-1], "an?"])
SIZE = "(?:thousand|million|billion)"
HALF = re.compile(rf"\bhalf an?[\s-](?={SIZE}\b)", re.IGNORECASE)
HUNDRED = re.compile(rf"\b({NUMBER})[\s-]hundred(?:\s+(?:and\s+)?(?!an?\b)({NUMBER}))?\b", re.IGNORECASE)
SIZED = re.compile(rf"\b({NUMBER})[\s-](?={SIZE}\b)", re.IGNORECASE)
POWER = re.compile(r"(?<![\w.,])\d+(?:\.\d+)?e\d{1,2}\b", re.IGNORECASE)
# "9.000.000" and "9 000 000". "21.000" may as well be 21.
APART = re.compile(r"(?<![\w.,:])[1-9]\d{0,2}(?:(?:\.\d{3}){2,}|(?:[ \u00a0\u2009\u202f]\d{3})+)(?!\w|[.,]\d)")


def in_digits(text: str) -> str:
    for word, number in MULTIPLES.items():
        text = re.sub(rf"\b{word}\b(?=.{{0,40}}?(?:{USUALLY}))", number, text, flags=re.IGNORECASE)
    text = HUNDRED.sub(lambda match: f"{100 * _worth(match[1]) + _worth(match[2])}", HALF.sub("0.5 ", text))
    text = SIZED.sub(lambda match: f"{_worth(match[1])} ", text)
    text = POWER.sub(lambda match: f"{float(match[0]):.0f}", text)
    return APART.sub(lambda match: re.sub(r"\D", ",", match[0]), text)


def _worth(words: str | None) -> int:
    return sum(WORTH[word] for word in re.split(r"[\s-]", (words or "").lower()) if word)
