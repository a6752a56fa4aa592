"""What `make run` says at the end, and that README shows the same."""

import shlex
from pathlib import Path

from accounts.demo import ADMIN_EMAIL, DEMO_EMAIL, Demo
from config.banner import SAMPLE, banner
from social.facts import PostAddress
from social.platforms import parse_post_url
from social.scrapers.samples import Samples

README = Path(__file__).resolve().parents[2] / "README.md"


def said(url="http://127.0.0.1:8000"):
    return banner(url=url, demo=Demo(DEMO_EMAIL, None, ADMIN_EMAIL, None)).splitlines()


def test_it_suggests_a_post_that_is_shipped():
    assert f"  Try:  .venv/bin/python manage.py analyze {SAMPLE}" in said()
    post = parse_post_url(SAMPLE)
    [outcome] = Samples().collect([PostAddress(platform=post.platform, post_id=post.post_id, url=SAMPLE)])
    assert outcome.post.text


def test_it_suggests_no_sample_where_there_are_none(settings):
    settings.SAMPLE_POSTS = False
    lines = said()
    assert not [line for line in lines if "analyze" in line]
    [tried] = [line for line in lines if "Try:" in line]
    assert shlex.split(tried)[1] == "curl"


def test_readme_shows_every_line_that_is_the_same_on_a_bare_machine():
    shown = README.read_text().splitlines()
    # The mail server is set for tests, and a password is of one run.
    same = [line for line in said() if not line.endswith(" is set)") and "password:" not in line]
    assert [line for line in same if line not in shown] == []
    assert len(same) > 15
