"""What a chat is made from says how many comments were seen, as the analysis did, or nothing of it."""

import pytest

from analysis.chat import answering, recall, services
from analysis.chat.citing import citations_of
from analysis.dossier import Dossier
from analysis.models import PostAnalysis
from analysis.prompting import chat_data
from analysis.tests.talking import session_of

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def recalled(user, used) -> Dossier:
    """The dossier of a chat about a result that rested on this."""
    session = session_of(user)
    PostAnalysis.objects.filter(pk=session.post_analysis_id).update(metadata_used=used)
    begun = recall.begin(services.ask(user, session.pk, "What do they ask for?"), answering.LEASE)
    assert begun
    return recall.dossier_of(begun[2])


def test_a_true_count_of_the_comments_seen_holds_and_a_false_one_does_not(user):
    dossier = recalled(user, {"comments_seen": 3, "comments_total": 504})
    [first, second] = citations_of("2 of the 3 comments seen ask for part two [k1]. It has 504 comments [k2].", dossier)
    assert (first["supported"], second["supported"]) == (True, True)
    assert not citations_of("40 of the 300 comments seen ask for part two [k1].", dossier)[0]["supported"]
    assert "\ncomments seen: 3\n" in chat_data(dossier)


def test_what_is_not_known_of_them_is_not_told_as_none(user):
    assert "comments seen" not in chat_data(recalled(user, {}))


def test_that_none_was_seen_is_told(user):
    assert "\ncomments seen: 0\n" in chat_data(recalled(user, {"comments_seen": 0, "comments_total": None}))
