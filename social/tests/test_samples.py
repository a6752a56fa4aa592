"""The sample posts: twelve, of every kind, plainly labelled, and the whole way through the pipeline of collecting."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from social import platforms
from social.collecting import collect, collect_recent
from social.facts import AuthorAddress, Found, Lost
from social.media.keep import keep_media
from social.models import Post, PostComment, PostMedia
from social.scrapers.samples import FOLDER, Samples, open_sample

TOLD = json.loads((FOLDER / "posts.json").read_text())
ADDRESSES = [platforms.address(TOLD["authors"][row["author"]]["platform"], row["id"]) for row in TOLD["posts"]]
by_address = pytest.mark.parametrize("address", ADDRESSES, ids=[address.post_id for address in ADDRESSES])


@by_address
def test_each_is_a_post_that_says_it_is_a_sample(address):
    assert platforms.parse_post_url(address.url).post_id == address.post_id
    [found] = Samples().collect([address])
    assert isinstance(found, Found)
    assert found.post.details["sample"] is True
    assert found.post.author.handle.startswith("whyral_samples_")
    assert len(Samples().comments(address, limit=100).comments) >= 10


@by_address
def test_each_authors_older_posts_are_addresses_too(address):
    [found] = Samples().collect([address])
    author = AuthorAddress(platform=address.platform, handle=found.post.author.handle)
    for post in Samples().recent_posts(author, limit=100):
        assert platforms.parse_post_url(post.address.url).post_id == post.address.post_id
        assert post.listed


def test_there_are_four_a_platform_in_two_languages_hits_and_flops():
    assert [sum(each.platform == slug for each in ADDRESSES) for slug in platforms.PLATFORMS] == [4, 4, 4]
    assert {row["language"] for row in TOLD["posts"]} == {"en", "pt"}
    assert {row["format"] for row in TOLD["posts"]} == {"short", "carousel", "image", "text", "video"}
    multiples = [row["multiple"] for row in TOLD["posts"]]
    assert (max(multiples) > 8, min(multiples) < 0.3) == (True, True)


def test_older_posts_of_two_authors_are_never_the_same():
    ids = [
        post.address.url
        for handle, author in TOLD["authors"].items()
        for post in Samples().recent_posts(AuthorAddress(platform=author["platform"], handle=handle), limit=100)
    ]
    assert len(ids) == len(set(ids)) > 80


def test_all_the_others_are_left_to_the_next_scraper():
    [found] = Samples().collect([platforms.address("x", "20")])
    assert isinstance(found, Lost)
    assert found.code == "not_offered"


def test_there_are_none_outside_development(settings):
    settings.SAMPLE_POSTS = False
    assert not Samples().offers("x", "post")


def test_only_samples_are_opened():
    assert open_sample("../posts.json") is open_sample("/etc/passwd") is open_sample("") is None
    assert sum(path.stat().st_size for path in Path(FOLDER / "media").iterdir()) < 3_000_000


def test_what_is_young_stays_young():
    [found] = Samples().collect([platforms.address("youtube", "WhyralDmo0M")])
    posted_at = found.post.posted_at
    assert posted_at
    assert posted_at > datetime.now(UTC) - timedelta(hours=4)


@pytest.fixture
def disk(settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "social.storage.disk.DiskStorage"}}


@pytest.mark.django_db
def test_a_sample_goes_the_whole_way(disk, capsys):
    out = io.StringIO()
    call_command("collect", "https://www.youtube.com/watch?v=WhyralDmo0A", stdout=out)
    told = out.getvalue()
    for words in ("video by @whyral_samples_garden", "recent    done", "comments  done", "kept", "from captions:human"):
        assert words in told
    post = Post.objects.get(platform_post_id="WhyralDmo0A")
    assert post.transcript.startswith("Twenty kilos of tomatoes")
    assert post.formatted_transcript[1]["start"] == 3.0
    assert PostMedia.objects.filter(post=post, kind="frame", state="stored").count() >= 4
    assert PostComment.objects.get(post=post).seen == 12
    assert Post.objects.filter(author=post.author, collected_at=None).count() == 20


@pytest.mark.django_db
def test_the_command_says_what_is_wrong():
    with pytest.raises(CommandError, match="profile"):
        call_command("collect", "https://x.com/jack")


@pytest.mark.django_db
def test_nobody_elses_post_is_read_from_our_disk(disk, settings):
    settings.SCRAPERS = {"x": ["samples"], "instagram": [], "youtube": []}
    stored = collect([platforms.address("x", "12")]).stored[platforms.address("x", "12")]
    Post.objects.update(source="twitterapi")
    assert keep_media(stored.post_id).failed == {"address_refused": 1}
    Post.objects.update(source="samples")
    assert keep_media(stored.post_id).failed == {}


@pytest.mark.django_db
def test_an_author_with_two_posts_has_two():
    collect_recent(AuthorAddress(platform="x", handle="whyral_samples_novo"))
    assert Post.objects.count() == 2
