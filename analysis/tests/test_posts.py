"""Many posts at once: how much is asked for to show or to quote them, and what is shown where the storage is away."""

import hashlib

import httpx
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from analysis.models import PostAnalysis
from analysis.posts import posts_of
from analysis.quoting import quote
from analysis.tests.fakes import make_request, put_on_plan
from sandbox.supabase import SupabaseSandbox
from social.models import Post, PostComment, PostMedia, StoredFile

pytestmark = pytest.mark.django_db


@pytest.fixture
def bucket(settings):
    with SupabaseSandbox() as sandbox:
        for name, value in sandbox.settings().items():
            setattr(settings, name, value)
        settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "social.storage.supabase.SupabaseStorage"}}
        yield sandbox


def shown(user, *, posts, first=0):
    """A request whose posts have two pictures each, and comments."""
    request, analyses = make_request(user, posts=posts)
    for analysis in analyses:
        key = str(first + analysis.position)
        post = Post.objects.create(
            platform_id="x", platform_post_id=key, url=analysis.url, raw=b"long", seen_at=timezone.now()
        )
        PostComment.objects.create(post=post, sample=[], seen=7, collected_at=timezone.now(), source="samples")
        for place in range(2):
            file = kept(f"picture {place} of {key}".encode())
            PostMedia.objects.create(post=post, kind="image", position=place, state="stored", file=file)
        PostAnalysis.objects.filter(pk=analysis.pk).update(post=post)
    return request


def kept(content):
    sha = hashlib.sha256(content).hexdigest()
    name = f"{sha[:2]}/{sha[2:4]}/{sha}.jpg"
    default_storage.save(name, ContentFile(content))
    return StoredFile.objects.create(
        sha256=sha, name=name, media_type="image/jpeg", size=len(content), touched_at=timezone.now()
    )


def test_many_posts_are_shown_with_as_many_queries_and_calls_as_one(user, bucket):
    used = []
    for posts, first in ((1, 0), (4, 10)):
        request = shown(user, posts=posts, first=first)
        before = len(bucket.calls)
        with CaptureQueriesContext(connection) as queries:
            found = posts_of(request.pk, user_id=user.pk)
        assert [(len(post["media"]), post["comments"]["seen"]) for post in found] == [(2, 7)] * posts
        links = [medium["url"] for post in found for medium in post["media"]]
        assert httpx.get(links[0]).content == f"picture 0 of {first}".encode()
        assert len({*links}) == 2 * posts
        assert not any('"raw"' in query["sql"] for query in queries)
        used.append((len(queries), sum(call.operation.startswith("sign") for call in bucket.calls[before:])))
    assert used[0] == used[1]
    assert used[0][1] == 1


def test_many_posts_are_quoted_with_as_many_queries_as_one(user):
    put_on_plan(user, posts=10, a_day=100)
    used = []
    for ids in ((1,), range(10, 18)):
        with CaptureQueriesContext(connection) as queries:
            quote(user, [f"https://x.com/i/status/{each}" for each in ids])
        used.append(len(queries))
    assert used[0] == used[1]


def test_what_is_gone_from_the_storage_has_no_link_and_harms_nothing_else(user, bucket):
    request = shown(user, posts=1)
    name = PostMedia.objects.get(position=1).file.name
    default_storage.delete(name)
    [post] = posts_of(request.pk, user_id=user.pk)
    assert [bool(medium["url"]) for medium in post["media"]] == [True, False]


def test_a_storage_that_is_away_keeps_nobody_from_the_rest_of_a_post(user, bucket):
    request = shown(user, posts=1)
    bucket.stop()
    [post] = posts_of(request.pk, user_id=user.pk)
    assert (post["comments"]["seen"], [medium["url"] for medium in post["media"]]) == (7, [None, None])
