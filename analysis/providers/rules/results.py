"""Questions that the result itself answers: why, in short, what else may have lifted the post, and what comes next."""

import re
from collections.abc import Iterator, Sequence

from analysis.providers.rules.reasons import LEADS
from analysis.providers.rules.told import Item, Told
from analysis.providers.rules.words import content_words

MOST_TOLD, MOST_ADVISED = 8, 5
ADVISED = "By rules, without a language model. What the result advises:"
ANSWERED = "By rules, without a language model. What the result says on that:"
WELCOME = (
    "Ask why it did as it did, for a summary, whether it was paid for, boosted or a giveaway, "
    "what its words, its numbers or its readers say, or what to post next."
)


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{pattern})(?!\w)")


GREETING = re.compile(
    r"\W*(?:(?:hi|hello|hey|oi+|ola|hola|opa|e ai|good (?:morning|afternoon|evening)|bom dia|boa (?:tarde|noite)|help|"
    r"ajuda|there|tudo bem|what can i ask(?: you)?|what can you do|o que posso perguntar)\b\W*)+"
)
# Parts of the result, by the words that ask for them.
ADVICE = {
    "suggestions_for_future_posts": _words(
        r"next|future|ideas?|suggest\w*|proxim[oa]s?|ideias?|suge\w+|postar|publicar"
    ),
    "improvements": _words(r"better|improve\w*|melhor\w*|mejor\w*"),
}
IN_SHORT = (
    r"summar\w+|sum(?: \w+)? up|takeaways?|take-aways?|tl;?dr|overview|recap|(?:key|main) points?|resum\w+|conclus\w+|"
)
IN_SHORT += r"(?:principais )?pontos(?: principais)?|(?:principais )?conclusoes"
WHY = r"why|reasons?|explain\w*|explanation|por ?que|pq|motivos?|factors?|fator(?:es)?|razao|razoes|expli(?:que|ca\w*)"
SUCCESS = (
    r"(?:go(?:es|ne)?|went|going) viral|viral\w*|work(?:s|ed)?|success\w*|succeed\w*|popular|perform\w*|well|blew up|"
    r"blow up|took off|take off|explod\w+|out(?:ran|run|perform\w*)|flop\w*|fail\w*|verdict|funcion\w+|sucesso|good|"
    r"lifted|bomb(?:ou|ar)|estour(?:ou|ar)|deu (?:certo|errado)|dar certo|fracass\w+|desempenho|veredic?to"
)
# What may stand beside these without asking for anything else.
BESIDE = (
    r"made|posts?|videos?|reels?|shorts?|tweets?|clips?|thread|key|main|quick|brief|short|analysis|results?|analise|"
)
BESIDE += r"resultado|rapid[oa]|faca (?:um|uma|o|a|me)|faz(?:er)?|fez|isso|ess[ea]|tao|please|favor"
COUNTS = r"views?|likes?|shares?|saves?|numbers?|visualiza\w+|curtidas?|tant[oa]s"
SUMMARY_ASKED, REASON_ASKED, WHY_ASKED = _words(IN_SHORT), _words(f"{WHY}|{SUCCESS}"), _words(WHY)
SUMMARY_ONLY, REASON_ONLY = _words(f"{IN_SHORT}|{SUCCESS}|{BESIDE}"), _words(f"{WHY}|{SUCCESS}|{BESIDE}")
WHY_ONLY = _words(f"{WHY}|{SUCCESS}|{BESIDE}|{COUNTS}")
TOPIC = _words(f"{IN_SHORT}|{WHY}")

# What else may have lifted a post: how it is called, and the words that ask for it.
CONFOUNDERS = {
    "paid_partnership": (
        "A paid partnership",
        r"paid|pay|sponsor\w*|partner(?:ship)?s?|ads?|advert\w*|publi|publicidade|parcerias?|patroc\w+|pag[oa]s?|pagaram",
    ),
    "giveaway": (
        "A giveaway",
        r"giveaways?|give-aways?|raffles?|sweepstakes?|contest|prizes?|sorteios?|sorte(?:ou|ar)",
    ),
    "collaboration": ("A collaboration", r"collab\w*|co-?authors?|colab\w*|coautor\w*"),
    "abnormal_ratio": (
        "An abnormal ratio of its numbers",
        r"abnormal|ratios?|fake|bots?|bought|suspicious|anorma\w+|propor\w+|fals[oa]s?|robos?|comprad[oa]s?|suspeit[oa]s?",
    ),
    "boosted": (
        "A boost",
        r"boost\w*|promot\w+|organic\w*|bought|pinned|impulsion\w+|promovid\w+|organic[oa]|comprad[oa]s?",
    ),
}
ALL_CONFOUNDERS = r"confound\w+|caveats?|what else (?:may|might|could|explains?)|doubts?|ressalvas?"
CONFOUNDERS_ASKED = {kind: _words(f"{words}|{ALL_CONFOUNDERS}") for kind, (_, words) in CONFOUNDERS.items()}
# What readers say of it is for the evidence to tell.
OF_READERS = _words(r"comment\w*|comentari\w*|comentam")
STATES = {"present": "is there", "ruled_out": "is ruled out", "cannot_tell": "can neither be shown nor ruled out"}
CONFOUNDER = re.compile(r"^(\w+) is (present|ruled_out|cannot_tell): (.+?)(?: \[([a-z]\d+(?:, [a-z]\d+)*)\])?$", re.M)
# Where it was looked for, where nothing was found that could be cited.
LOOKED_AT = {"abnormal_ratio": ("metric",)}
LOOKED_AT_ELSE = ("caption", "transcript")


def tell(plain: str, told: Told) -> str:
    """The answer, as far as the result has one; else nothing."""
    if GREETING.fullmatch(plain):
        return WELCOME
    if advice := _advise(plain, told):
        return _shown(ADVISED, advice)
    return _shown(ANSWERED, _weigh(plain, told) or _sum_up(plain, told) or _give_reasons(plain, told))


def is_topic(word: str) -> bool:
    """Whether a word asks for a part of the result, so that no evidence need speak of it."""
    return bool(TOPIC.fullmatch(word))


def _shown(introduction: str, lines: Sequence[str]) -> str:
    return "\n".join([introduction, *(f"- {line}" for line in lines)]) if lines else ""


def _advise(plain: str, told: Told) -> list[str]:
    parts = [name for name, words in ADVICE.items() if words.search(plain)]
    return told.claims(*parts)[:MOST_ADVISED]


def _weigh(plain: str, told: Told) -> list[str]:
    """How the result stands to each of what else may have lifted it, as far as that is asked for."""
    asked = [kind for kind, words in CONFOUNDERS_ASKED.items() if words.search(plain)]
    if not asked or OF_READERS.search(plain):
        return []
    items = told.items()
    found = [(kind, state, note, ids) for kind, state, note, ids in CONFOUNDER.findall(told.section("COMPUTED"))]
    cited = ((kind, state, note, _cite(ids, kind, items)) for kind, state, note, ids in found if kind in asked)
    return [f"{CONFOUNDERS[kind][0]} {STATES[state]}: {note} {ids}" for kind, state, note, ids in cited if ids]


def _cite(ids: str, kind: str, items: Sequence[Item]) -> str:
    kinds = LOOKED_AT.get(kind, LOOKED_AT_ELSE)
    looked_at = [next((item.id for item in items if item.kind == each), "") for each in kinds]
    named = ids.split(", ") if ids else [each for each in looked_at if each] or [item.id for item in items[:1]]
    return " ".join(f"[{each}]" for each in named)


def _sum_up(plain: str, told: Told) -> list[str]:
    asked = SUMMARY_ASKED.search(plain) and not content_words(SUMMARY_ONLY.sub(" ", plain))
    return [*_conclude(told, "quick_takeaways")] if asked else []


def _give_reasons(plain: str, told: Told) -> list[str]:
    only = WHY_ONLY if WHY_ASKED.search(plain) else REASON_ONLY
    asked = REASON_ASKED.search(plain) and not content_words(only.sub(" ", plain))
    return [*_conclude(told, "virality_reasoning")] if asked else []


def _conclude(told: Told, part: str) -> Iterator[str]:
    """The verdict with its basis, then what the result says in this part; not what says the verdict again."""
    label, basis = told.computed("verdict"), told.computed("basis")
    lead = LEADS.get(label, "")
    metrics = [item for item in told.items() if item.kind == "metric"]
    measured = next((item for item in metrics if item.text.startswith(basis)), next(iter(metrics), None))
    if not (lead and basis and measured):
        return
    yield f"{lead}: {basis} [{measured.id}]"
    others = [claim for claim in told.claims(part) if basis not in claim and not claim.startswith(lead)]
    yield from others[:MOST_TOLD]
