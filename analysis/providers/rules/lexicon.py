"""Words by which openings, asks and wishes are told, in English, Portuguese and Spanish."""

import re


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE)


# How a post can begin, and what that does to a reader.
HOOKS = {
    "negation": _words(
        r"not|never|nobody|no one|stop|wrong|mistakes?|worst|avoid|without|deleted?|\w+n['\u2019]t|"
        r"n[a\u00e3]o|nunca|jamais|ningu[e\u00e9]m|pare|erros?|errad\w+|evite|sem|nadie|error|deja|sin"
    ),
    "question": re.compile(
        r"\?|^\W*(?:how|why|what|which|guess|como|por ?qu[e\u00ea]|qual|quanto|c[o\u00f3]mo|cu[a\u00e1]l)(?!\w)",
        re.IGNORECASE,
    ),
    "number": _words(
        r"\D{0,2}\d[\d.,]*\w*|two|three|four|five|six|seven|eight|nine|ten|twenty|thirty|fifty|hundred|thousand|million|dois|duas|"
        r"tr[e\u00ea]s|quatro|cinco|seis|sete|oito|nove|dez|vinte|trinta|cinquenta|cem|mil|dos|cuatro|siete|diez|cien"
    ),
    "promise": _words(
        r"how to|here(?: is|['\u2019]s)|the way|everything|secrets?|tricks?|hacks?|lessons?|guide|recipe|list|"
        r"in \d+ \w+|"
        r"roteiro|guia|lista|receita|truque|segredo|aprenda|tudo|vou (?:contar|mostrar|ensinar)|passo a passo|"
        r"te (?:muestro|cuento)|gu[i\u00ed]a|truco|secreto"
    ),
    "story": _words(
        r"i|i['\u2019]\w+|my|we|our|eu|meus?|minhas?|nossos?|nossas?|estou|fui|comecei|primeir[oa]|yo|mi|mis|nuestr[oa]s?"
    ),
    "direct address": _words(r"you|your|yours|voc[e\u00ea]s?|seu|sua|teu|tua|te|tu|t\u00fa|ustedes|usted"),
}
# How each is called in a sentence, and what it is.
NOUNS = {
    "negation": ("a negation", "something is wrong or missing"),
    "question": ("a question", "something is asked"),
    "number": ("a number", "something is counted"),
    "promise": ("a promise", "there is something to take away"),
    "story": ("a story", "it happened to whoever tells it"),
    "direct address": ("a direct address", "it speaks to you"),
}

# What a post can ask of people.
ASKS = {
    "save it": _words(r"save (?:this|it|for)|bookmark|guarde|salve|guarda"),
    "follow": _words(r"follow (?:me|us|for|along)|subscribe|siga|inscreva|s\u00edgueme|suscr[i\u00ed]b\w+"),
    "tag somebody": _words(r"tag (?:a|your|some\w+)|marque|etiqueta"),
    "share it": _words(r"share (?:this|it|with)|send this|repost|compartilhe|envie|comparte"),
    "comment": _words(r"comment (?:below|with|your)|tell me|let me know|guess|reply|comente|conta aqui|diga|comenta"),
    "swipe": _words(r"swipe|arraste|desliza"),
    "look further": _words(r"below|link in|check|confira|abra|veja|clique|click|nos coment[a\u00e1]rios|mira"),
}

# A wish in a comment that is not a question.
WISH = re.compile(
    r"^(?:please )?(?:do|make|try|show)\b|"
    r"\b(?:next|please|part ?\d|parte ?\d|want|quero|queremos|faz|fa\u00e7a|manda|por favor)\b",
    re.IGNORECASE,
)
