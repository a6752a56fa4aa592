"""The desk for feedback: sorting it, answering it once, and never changing what was said."""

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client

from accounts.mail import send_owed_mail
from accounts.models import OutgoingMail, User
from feedback.models import Feedback

LIST = "/admin/feedback/feedback/"
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(2)>\n<b>\"'&amp;</b>"


@pytest.fixture
def onlooker(db):
    """Somebody of the team who may look and no more."""
    person = User.objects.create_user("onlooker@example.com", "a long password", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_feedback"))
    client = Client()
    client.force_login(person)
    return client


def page(row):
    return f"{LIST}{row.pk}/change/"


def save(client, row, **fields):
    """Save the page as a browser does that has shown `row`, with these fields changed."""
    shown = {"status": row.status, "assignee": row.assignee_id or ""}
    initial = {f"initial-{name}": value for name, value in shown.items()}
    return client.post(page(row), {**shown, **initial, "reply": row.reply, **fields}, follow=True)


def act(client, action, *rows, query=""):
    return client.post(LIST + query, {"action": action, "_selected_action": [str(row.pk) for row in rows]}, follow=True)


def test_the_list_shows_the_beginning_and_who_said_it(desk, said):
    Feedback.objects.update(message="Once " + "upon a time " * 50)
    shown = desk.get(LIST).content.decode()
    assert "Once upon a time" in shown
    assert "upon a time " * 20 not in shown
    assert "user@example.com" in shown


def test_markup_is_shown_as_text_with_its_lines(desk, user, said):
    User.objects.filter(pk=user.pk).update(full_name=MARKUP)
    Feedback.objects.update(message=MARKUP, page="/<b>", claim=MARKUP, user_agent=MARKUP, request_id="<b>")
    shown, listed = (desk.get(url).content.decode() for url in (page(said), LIST))
    for unescaped in ("<script>alert(1)", "<img src=x", "<b>"):
        assert unescaped not in shown
        assert unescaped not in listed
    assert "onerror=alert(2)&gt;<br>&lt;b&gt;&quot;&#x27;&amp;amp;&lt;/b&gt;" in shown


def test_a_reply_with_markup_is_shown_as_text_with_its_lines(desk, said):
    save(desk, said, reply=MARKUP)
    shown = desk.get(page(said)).content.decode()
    assert "<script>alert(1)" not in shown
    assert "onerror=alert(2)&gt;<br>&lt;b&gt;" in shown


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "bug idea"), ("?status__exact=new", "bug"), ("?status__exact=planned", "idea"),
        ("?kind__exact=idea", "idea"), ("?rating__exact=5", "idea"), ("?assignee=me", "idea"),
        ("?assignee=nobody", "bug"), ("?assignee=nonsense", "bug idea"), ("?q=user@", "bug idea"), ("?q=ser@", ""),
    ],
)  # fmt: skip
def test_the_list_is_narrowed(desk, user, staff, query, found):
    Feedback.objects.create(user=user, kind="bug", message="saying bug")
    Feedback.objects.create(user=user, kind="idea", message="saying idea", rating=5, status="planned", assignee=staff)
    shown = desk.get(LIST + query).content.decode()
    assert [kind for kind in ("bug", "idea") if f"saying {kind}" in shown] == found.split()


def test_what_colleagues_have_can_be_listed(desk, said):
    assert b"It is slow" not in desk.get(f"{LIST}?assignee=colleagues").content
    Feedback.objects.update(assignee=User.objects.create_user("colleague@example.com", is_staff=True))
    assert b"It is slow" in desk.get(f"{LIST}?assignee=colleagues").content
    assert b"It is slow" not in desk.get(f"{LIST}?assignee=me").content


@pytest.mark.parametrize(
    ("action", "status"),
    [("take_it", "seen"), ("mark_seen", "seen"), ("mark_planned", "planned"), ("mark_closed", "closed")],
)
def test_an_action_sorts_what_is_chosen_and_stands_in_its_history(desk, user, staff, said, action, status):
    other = Feedback.objects.create(user=user, kind="idea", message="m")
    answer = act(desk, action, said, query="?status__exact=new")
    assert b"1 " in answer.content
    said.refresh_from_db()
    other.refresh_from_db()
    assert (said.status, other.status) == (status, "new")
    assert said.assignee == (staff if action == "take_it" else None)
    (entry,) = LogEntry.objects.all()
    assert (entry.object_id, entry.user) == (str(said.pk), staff)


def test_saving_changes_the_triage_and_nothing_that_was_said(desk, user, staff, said):
    forged = {"message": "forged", "user": staff.pk, "kind": "praise", "replied_at_0": "2026-01-01", "page": "/x"}
    save(desk, said, status="planned", assignee=staff.pk, **forged)
    row = Feedback.objects.get()
    assert (row.status, row.assignee, row.updated_at > said.updated_at) == ("planned", staff, True)
    assert (row.message, row.user, row.kind, row.replied_at, row.page) == (said.message, user, "bug", None, "")
    assert not OutgoingMail.objects.exists()


def test_a_page_opened_before_a_colleagues_change_does_not_undo_it(desk, staff, said):
    colleague = User.objects.create_user("colleague@example.com", is_staff=True)
    shown = desk.get(page(said)).content
    assert b'name="initial-status" value="new"' in shown
    assert b'name="initial-assignee"' in shown
    Feedback.objects.update(status="planned", assignee=colleague)
    save(desk, said, reply="")
    assert (Feedback.objects.get().status, Feedback.objects.get().assignee) == ("planned", colleague)
    save(desk, said, status="closed")
    assert (Feedback.objects.get().status, Feedback.objects.get().assignee) == ("closed", colleague)


def test_only_staff_can_be_made_to_deal_with_it(desk, user, ben, said):
    assert b"errornote" in save(desk, said, assignee=ben.pk).content or Feedback.objects.get().assignee is None
    assert Feedback.objects.get().assignee is None
    # Nor is a page made long by everybody's address.
    assert ben.email.encode() not in desk.get(page(said)).content


def test_a_reply_is_mailed_once_however_often_it_is_saved(desk, user, staff, said, mailoutbox):
    for _ in range(3):
        answer = save(desk, said, reply="Faster now.\r\nThanks!")
        assert b"was not sent" not in answer.content
    (mail,) = OutgoingMail.objects.all()
    assert (mail.user, mail.template) == (user, "feedback_reply")
    assert send_owed_mail(str(mail.pk)) is True
    assert len(mailoutbox) == 1
    row = Feedback.objects.get()
    assert (row.status, row.reply, row.replied_by) == ("answered", "Faster now.\nThanks!", staff)
    assert b"Done." in desk.get(page(said)).content


@pytest.mark.parametrize("status", ["answered", "closed"])
def test_a_reply_and_a_status_may_be_given_together(desk, said, status):
    assert save(desk, said, reply="Faster now.", status=status).status_code == 200
    assert OutgoingMail.objects.count() == 1
    assert (Feedback.objects.get().reply, Feedback.objects.get().status) == ("Faster now.", status)


def test_who_replies_too_late_is_told(desk, said):
    save(desk, said, reply="Faster now.")
    answer = save(desk, said, reply="Slower now.", status="closed")
    assert b"your reply was not sent" in answer.content
    assert OutgoingMail.objects.count() == 1
    assert (Feedback.objects.get().reply, Feedback.objects.get().status) == ("Faster now.", "closed")


def test_a_reply_can_no_longer_be_changed(desk, said):
    assert b'name="reply"' in desk.get(page(said)).content
    save(desk, said, reply="Faster now.")
    shown = desk.get(page(said)).content
    assert b'name="reply"' not in shown
    assert b"Faster now." in shown
    assert b"Waiting, after 0 attempts." in shown


def test_it_is_not_answered_without_a_reply(desk, said):
    answer = save(desk, said, status="answered")
    assert b"Write a reply" in answer.content
    assert b"at most 4000" in save(desk, said, reply="x" * 4001).content
    assert Feedback.objects.get().status == "new"


def test_nothing_is_made_or_deleted_at_the_desk(desk, said):
    assert desk.get(f"{LIST}add/").status_code == 403
    assert desk.post(f"{LIST}{said.pk}/delete/", {"post": "yes"}).status_code == 403
    act(desk, "delete_selected", said)
    assert Feedback.objects.exists()


@pytest.mark.parametrize("action", ["take_it", "mark_seen", "mark_planned", "mark_closed"])
def test_whoever_may_only_look_changes_nothing(onlooker, said, action):
    assert onlooker.get(page(said)).status_code == 200
    act(onlooker, action, said)
    assert save(onlooker, said, status="closed", reply="Hello").status_code == 403
    row = Feedback.objects.get()
    assert (row.status, row.assignee, row.reply) == ("new", None, "")


def test_the_list_can_be_taken_along(desk, said):
    lines = b"".join(desk.get(f"{LIST}export/").streaming_content).decode()
    assert "It is slow.\nVery slow." in lines


def test_a_list_asks_the_same_number_of_questions_however_long_it_is(desk, user, staff, django_assert_max_num_queries):
    Feedback.objects.bulk_create(Feedback(user=user, kind="bug", message="m", assignee=staff) for _ in range(40))
    with django_assert_max_num_queries(12):
        desk.get(LIST)
