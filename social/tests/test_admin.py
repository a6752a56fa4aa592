"""The desk for posts: what it shows, what it keeps from being markup, and how a post is collected again."""

import zlib

import pytest
from django.urls import reverse
from django.utils import timezone

from social.models import MetricSnapshot, Platform, Post, PostComment, PostMedia, StoredFile, UserPostActivity, Wanted

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script>"


@pytest.fixture
def post():
    """A post with one of everything, and markup wherever text may be."""
    now = timezone.now()
    post = Post.objects.create(
        platform_id="x",
        platform_post_id="1839019491835129889",
        url="https://x.com/i/status/1839019491835129889",
        author="jack",
        text=EVIL,
        metrics={"likes": 12_345, "views": None},
        details={"hashtags": [EVIL]},
        formatted_transcript=[{"start": 1.5, "end": 2.0, "text": EVIL}],
        seen_at=now,
        collected_at=now,
        source="twitterapi",
        raw=zlib.compress(EVIL.encode()),
    )
    file = StoredFile.objects.create(
        sha256="a" * 64,
        name=f"aa/aa/{'a' * 64}.jpg",
        media_type="image/jpeg",
        size=2048,
        uploaded_at=now,
        touched_at=now,
    )
    PostMedia.objects.create(post=post, kind="image", state="stored", file=file)
    PostComment.objects.create(
        post=post, sample=[{"author": "a", "text": EVIL, "likes": 3}], seen=1, total=40, collected_at=now
    )
    MetricSnapshot.objects.create(post=post, taken_at=now, likes=12_345, followers=7, source="twitterapi")
    return post


def page(model, name="changelist", *args):
    return reverse(f"admin:social_{model._meta.model_name}_{name}", args=args)


def test_a_posts_page_tells_everything_and_shows_markup_as_text(desk, post):
    told = desk.get(page(Post, "change", post.pk)).content.decode()
    assert EVIL not in told
    assert told.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 4
    for part in ("12,345", "1 seen of 40", "1.5 s", "whyral-thumb", post.url):
        assert part in told


def test_the_list_finds_a_post_by_its_id_and_an_author_by_their_handle(desk, post):
    for term in (post.platform_post_id, "jack"):
        assert [*desk.get(page(Post) + f"?q={term}").context_data["cl"].result_list] == [post]
    assert [*desk.get(page(Post) + "?q=nobody").context_data["cl"].result_list] == []


@pytest.mark.parametrize("query", ["?platform=x", "?source=twitterapi", "?platform=instagram"])
def test_the_list_is_narrowed(desk, post, query):
    assert len(desk.get(page(Post) + query).context_data["cl"].result_list) == ("instagram" not in query)


def test_a_post_is_collected_again(desk, post):
    answer = desk.post(page(Post), {"action": "collect_again", "_selected_action": [str(post.pk)]}, follow=True)
    assert "1 post is being collected again." in answer.content.decode()


def test_nobody_edits_a_post(desk, post):
    assert desk.post(page(Post, "change", post.pk), {"text": "x"}).status_code == 403


def test_every_list_opens_with_rows_and_without(desk, post, user):
    Wanted.objects.create(kind="post", platform_id="x", key="20", asked_at=timezone.now())
    UserPostActivity.objects.create(user=user, post=post, last_at=timezone.now())
    lists = (Wanted, UserPostActivity, PostMedia, Post)
    assert all(len(desk.get(page(model)).context_data["cl"].result_list) == 1 for model in lists)
    for model in lists:
        model.objects.all().delete()
        assert len(desk.get(page(model)).context_data["cl"].result_list) == 0


def test_a_platform_is_closed_and_never_deleted(desk):
    platform = Platform.objects.get(pk="x")
    desk.post(page(Platform, "change", "x"), {"name": "X"})
    platform.refresh_from_db()
    assert not platform.active
    assert desk.post(page(Platform, "delete", "x"), {"post": "yes"}).status_code == 403
