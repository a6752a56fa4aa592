"""The desk for posts: what was collected, what is wanted, who asked for it. A post can be collected again."""

import zlib
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.text import Truncator

from core.admin import Between, ReadOnlyAdmin, RowAdmin, counted, one_of, table
from core.errors import Problem
from core.queue import enqueue
from social.models import MetricSnapshot, Platform, Post, PostMedia, StoredFile, UserPostActivity, Wanted
from social.storage import link

COUNTS = ("likes", "comments", "shares", "views", "saves")
# Of one post, on its page.
MOST_SNAPSHOTS, MOST_SEGMENTS, MOST_COMMENTS, MOST_RAW = 50, 400, 100, 60_000
PICTURES = ("thumbnail", "image", "frame")


def _platforms() -> list[str]:
    return [*Platform.objects.order_by("slug").values_list("slug", flat=True)]


def _scrapers() -> list[str]:
    return sorted({name for names in settings.SCRAPERS.values() for name in names})


@admin.register(Platform)
class PlatformAdmin(RowAdmin):
    """A platform, which can be closed for a while."""

    list_display = ["name", "slug", "active"]
    fields = ["name", "active"]
    search_fields = ["slug__startswith"]
    ordering = ["slug"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Platform | None = None) -> bool:
        return False


@admin.register(Post)
class PostAdmin(ReadOnlyAdmin):
    """A post with everything that is known of it."""

    list_display = ["created_at", "platform", "author", "beginning", "format", "views", "likes", "posted_at", "source"]
    list_filter = [("created_at", Between), one_of("platform", _platforms), one_of("source", _scrapers)]
    list_select_related = ["platform"]
    search_fields = ["platform_post_id", "author", "id"]
    search_help_text = "A post's id on its platform, or an author's handle without @, in full."
    ordering = ["-created_at", "-id"]
    export_fields = (
        "id", "created_at", "platform", "platform_post_id", "url", "author", "posted_at", "format", "metrics",
        "engagement_score", "collected_at", "source",
    )  # fmt: skip
    fields = [
        "address", "author", "author_profile", "title", "text", "posted_at", "format", "seconds", "language",
        "collected_at", "seen_at", "source", "pictures", "growth", "engagement_score", "words", "transcript_source",
        "transcript_language", "transcript_state", "comments", "details", "record", "raw_until",
    ]  # fmt: skip
    actions = ["collect_again"]
    nothing = "Posts show here as soon as the first is collected."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Post]:
        posts: QuerySet[Post] = super().get_queryset(request)
        # Megabytes on a list that shows none of it.
        return posts.defer("raw", "formatted_transcript", "transcript", "captions", "details", "author_profile")

    @admin.display(description="text")
    def beginning(self, post: Post) -> str:
        return Truncator(post.title or post.text).chars(60)

    @admin.display(description="views")
    def views(self, post: Post) -> str:
        return _number(post.metrics.get("views"))

    @admin.display(description="likes")
    def likes(self, post: Post) -> str:
        return _number(post.metrics.get("likes"))

    @admin.display(description="address")
    def address(self, post: Post) -> str:
        return format_html('<a href="{0}" rel="noreferrer noopener">{0}</a>', post.url)

    @admin.display(description="pictures")
    def pictures(self, post: Post) -> str:
        stored = post.media.filter(kind__in=PICTURES, file__uploaded_at__isnull=False)
        # The thumbnail and the images before the frames, and those as they follow each other.
        shown = sorted(stored, key=lambda medium: (medium.kind == "frame", medium.kind != "thumbnail", medium.position))
        return format_html_join(" ", "{}", ((_thumb(medium),) for medium in shown)) or "-"

    @admin.display(description="growth")
    def growth(self, post: Post) -> str:
        snapshots = post.snapshots.order_by("-taken_at")[:MOST_SNAPSHOTS]
        return table(("taken at", *COUNTS, "followers", "source"), [_cells(snapshot) for snapshot in snapshots])

    @admin.display(description="transcript")
    def words(self, post: Post) -> str:
        lines = [(f"{part['start']:.1f}", part["text"]) for part in post.formatted_transcript[:MOST_SEGMENTS]]
        return format_html_join("", "<div><b>{} s</b> {}</div>", lines) or post.transcript or "-"

    @admin.display(description="comments")
    def comments(self, post: Post) -> str:
        held = getattr(post, "comment_sample", None)
        if held is None:
            return "-"
        of = "an unknown number" if held.total is None else f"{held.total:,}"
        rows = [(_number(one.get("likes")), one.get("author", ""), one.get("text", "")) for one in held.sample]
        seen = table(("likes", "by", "comment"), rows[:MOST_COMMENTS])
        return format_html("<p>{} seen of {}{}</p>{}", held.seen, of, " (closed)" if held.closed else "", seen)

    @admin.display(description="vendor's record")
    def record(self, post: Post) -> str:
        if not post.raw:
            return "Not kept, or let go."
        said = zlib.decompressobj().decompress(bytes(post.raw), MOST_RAW).decode("utf-8", "replace")
        return format_html("<details><summary>{} characters</summary><pre>{}</pre></details>", len(said), said)

    def has_collect_permission(self, request: HttpRequest) -> bool:
        # It costs what a vendor charges, so that to look is not enough.
        return request.user.has_perm("social.change_post")

    @admin.action(description="Collect again", permissions=["collect"])
    def collect_again(self, request: HttpRequest, queryset: QuerySet[Post]) -> None:
        posts = [*queryset]
        sent = [post for post in posts if enqueue("social.collect_again", post.pk)]
        self.note(request, sent, "Asked to be collected again.")
        if sent:
            self.message_user(request, f"{counted(len(sent), 'post is', 'posts are')} being collected again.")
        if len(sent) < len(posts):
            self.message_user(request, "The broker is away: try the others again shortly.", "error")


@admin.register(PostMedia)
class PostMediaAdmin(ReadOnlyAdmin):
    """A picture, a video, a thumbnail or a frame."""

    list_display = ["created_at", "thumb", "kind", "position", "state", "error", "post", "size", "seconds"]
    list_filter = [("created_at", Between), one_of("state", PostMedia.State.values)]
    list_select_related = ["file", "post"]
    search_fields = ["post__pk"]
    search_help_text = "The id of a post."
    ordering = ["-pk"]

    def get_urls(self) -> list[URLPattern]:
        show = self.admin_site.admin_view(self.show_picture)
        return [path("<uuid:medium_id>/picture/", show, name="social_postmedia_picture"), *super().get_urls()]

    def show_picture(self, request: HttpRequest, medium_id: UUID) -> HttpResponse:
        """Where its bytes are. A bucket signs each link over the network: no page with fifty of them waits for that."""
        if not (self.has_view_permission(request) or request.user.has_perm("social.view_post")):
            raise PermissionDenied
        file = get_object_or_404(StoredFile, shown_as=medium_id, shown_as__kind__in=PICTURES, uploaded_at__isnull=False)
        try:
            return redirect(link(file))
        except (Problem, FileNotFoundError):
            raise Http404 from None

    @admin.display(description="")
    def thumb(self, medium: PostMedia) -> str:
        return _thumb(medium) if medium.kind in PICTURES and medium.file else "-"

    @admin.display(description="size")
    def size(self, medium: PostMedia) -> str:
        return "-" if medium.file is None else f"{medium.file.size / 1024:,.0f}\N{NO-BREAK SPACE}KB"


@admin.register(Wanted)
class WantedAdmin(ReadOnlyAdmin):
    """What is to be collected, and how far that is."""

    list_display = [
        "created_at", "kind", "platform", "key", "state", "code", "busy_until", "tried", "attempts", "asked_at",
    ]  # fmt: skip
    list_filter = [("created_at", Between), one_of("state", Wanted.State.values)]
    list_select_related = ["platform"]
    search_fields = ["errand__pk"]
    search_help_text = "The id of an errand."
    ordering = ["-created_at", "-id"]


@admin.register(UserPostActivity)
class UserPostActivityAdmin(ReadOnlyAdmin):
    """Who asked for which post."""

    list_display = ["created_at", "user", "post", "times", "reused", "last_at"]
    list_select_related = ["user", "post"]
    search_fields = ["user__pk", "user__email__startswith", "post__pk"]
    search_help_text = "A user's or a post's id, or the beginning of an e-mail address."
    ordering = ["-pk"]


def _cells(snapshot: MetricSnapshot) -> tuple[str, ...]:
    counts = [_number(getattr(snapshot, name)) for name in (*COUNTS, "followers")]
    return (f"{snapshot.taken_at:%Y-%m-%d %H:%M}", *counts, snapshot.source)


def _thumb(medium: PostMedia) -> str:
    where = reverse("admin:social_postmedia_picture", args=[medium.pk])
    return format_html('<img src="{}" alt="{}" class="whyral-thumb" loading="lazy">', where, medium)


def _number(value: Any) -> str:
    return "-" if value is None else f"{value:,}"
