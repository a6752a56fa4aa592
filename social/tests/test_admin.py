"""The desk for posts: what it shows, what it keeps from being markup, and how a post is collected again."""

import zlib

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from sandbox.supabase import SupabaseSandbox
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


def picture(medium):
    return reverse("admin:social_postmedia_picture", args=[medium.pk])


def test_pictures_lead_to_signed_links_frames_in_their_order(desk, post):
    file = StoredFile.objects.get()
    frames = {at: PostMedia.objects.create(post=post, kind="frame", position=at, file=file) for at in (2000, 0, 1000)}
    image = PostMedia.objects.get(kind="image")
    told = desk.get(page(Post, "change", post.pk)).content.decode()
    places = [told.index(picture(medium)) for medium in (image, frames[0], frames[1000], frames[2000])]
    assert places == sorted(places)
    assert file.name in desk.get(picture(image)).url
    assert "sig" in desk.get(picture(image)).url


def test_pages_open_while_the_bucket_is_away(desk, post, settings):
    with SupabaseSandbox() as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "social.storage.supabase.SupabaseStorage"}}
    assert desk.get(page(Post, "change", post.pk)).status_code == 200
    assert desk.get(page(PostMedia)).status_code == 200
    assert desk.get(picture(PostMedia.objects.get())).status_code == 404


def colleague(client, *codenames):
    somebody = User.objects.create_user("colleague@example.com", "a long password", is_staff=True)
    somebody.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client.force_login(somebody)
    return client


def test_who_may_see_no_posts_sees_no_pictures(client, post):
    assert colleague(client, "view_user").get(picture(PostMedia.objects.get())).status_code == 403


def test_who_may_only_look_spends_no_money(client, post):
    asked = {"action": "collect_again", "_selected_action": [str(post.pk)]}
    answer = colleague(client, "view_post").post(page(Post), asked, follow=True)
    assert "being collected again" not in answer.content.decode()
    assert answer.status_code == 200


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
