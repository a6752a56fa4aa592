"""Posts and what belongs to them, saved in bulk by `saving`; and what is wanted, kept by `collecting`."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from core.models import Row


class Platform(models.Model):
    """A platform; one that is not active is refused at the door."""

    slug = models.CharField(max_length=20, primary_key=True)
    name = models.CharField(max_length=40)
    active = models.BooleanField(default=True, help_text="Addresses of an inactive platform are refused.")

    def __str__(self) -> str:
        return self.name


class Post(Row):
    """A post. `collected_at` is empty where it was only seen in a list of its author's posts."""

    platform = models.ForeignKey(Platform, on_delete=models.PROTECT, related_name="+", db_index=False)
    platform_post_id = models.CharField(max_length=64)
    url = models.CharField(max_length=300)
    author = models.CharField(max_length=100, blank=True, help_text="The handle, without @.")
    author_id = models.CharField(max_length=100, blank=True)
    author_profile = models.JSONField(default=dict, blank=True, help_text="Name, followers, bio ... when collected.")
    title = models.TextField(blank=True)
    text = models.TextField(blank=True)
    language = models.CharField(max_length=20, blank=True)
    posted_at = models.DateTimeField(null=True, blank=True)
    format = models.CharField(max_length=10, blank=True)
    seconds = models.FloatField(null=True, blank=True, help_text="How long its video is.")
    metrics = models.JSONField(default=dict, blank=True, help_text="likes, comments, shares, views, saves where known.")
    engagement_score = models.FloatField(null=True, blank=True)
    details = models.JSONField(default=dict, blank=True)
    captions = models.JSONField(default=list, blank=True, help_text="Which captions the platform has, and where.")

    transcript = models.TextField(blank=True)
    formatted_transcript = models.JSONField(default=list, blank=True, help_text="Segments with times.")
    transcript_source = models.CharField(max_length=30, blank=True)
    transcript_language = models.CharField(max_length=20, blank=True)
    transcript_state = models.CharField(max_length=30, blank=True, help_text="done, or why there is none.")

    collected_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(help_text="When anything last told of it, a list of its author's posts too.")
    source = models.CharField(max_length=30, blank=True, help_text="The scraper it came from.")
    raw = models.BinaryField(null=True, blank=True, help_text="The vendor's record, zlib.")
    raw_until = models.DateTimeField(null=True, blank=True, help_text="When the vendor's record is let go.")

    class Meta:
        constraints = [models.UniqueConstraint("platform", "platform_post_id", name="one_row_a_post")]
        indexes = [
            models.Index(
                "platform", "author", models.F("posted_at").desc(nulls_last=True), "id", name="posts_of_author"
            ),
            models.Index("created_at", "id", name="posts_by_age"),
            models.Index("raw_until", name="posts_raw_until", condition=Q(raw_until__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.platform_id} {self.platform_post_id}"


class MetricSnapshot(models.Model):
    """The counts of a post at one moment: what growth is drawn from. Never changed, never lost to a newer one."""

    id = models.BigAutoField(primary_key=True)
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="snapshots", db_index=False)
    taken_at = models.DateTimeField()
    likes = models.BigIntegerField(null=True, blank=True)
    comments = models.BigIntegerField(null=True, blank=True)
    shares = models.BigIntegerField(null=True, blank=True)
    views = models.BigIntegerField(null=True, blank=True)
    saves = models.BigIntegerField(null=True, blank=True)
    followers = models.BigIntegerField(null=True, blank=True)
    source = models.CharField(max_length=30)

    class Meta:
        constraints = [models.UniqueConstraint("post", "taken_at", name="one_snapshot_a_moment")]

    def __str__(self) -> str:
        return f"{self.post_id} at {self.taken_at}"


class StoredFile(models.Model):
    """Bytes that are kept once, under their own hash, however many posts show them."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    name = models.CharField(max_length=120, unique=True, help_text="In the storage.")
    media_type = models.CharField(max_length=50)
    size = models.BigIntegerField()
    uploaded_at = models.DateTimeField(null=True, blank=True, help_text="Empty while the bytes are on their way.")
    # When somebody last wanted these bytes kept: what the sweep looks at before it takes what nobody refers to.
    touched_at = models.DateTimeField()
    leaving_since = models.DateTimeField(null=True, blank=True, help_text="A sweep is taking it away.")

    def __str__(self) -> str:
        return self.name


class PostMedia(Row):
    """A picture, a video, a thumbnail or a frame of a post."""

    class State(models.TextChoices):
        """How far it came."""

        WAITING = "waiting"
        STORED = "stored"
        FAILED = "failed"

    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="media", db_index=False)
    kind = models.CharField(max_length=10, help_text="image, video, thumbnail or frame")
    position = models.IntegerField(default=0, help_text="Among its kind; of a frame, the milliseconds it stands at.")
    source_url = models.TextField(blank=True, help_text="Where the platform keeps it, for some hours.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    error = models.CharField(max_length=40, blank=True, help_text="The code of what went wrong.")
    file = models.ForeignKey(StoredFile, null=True, blank=True, on_delete=models.PROTECT, related_name="shown_as")
    width = models.IntegerField(null=True, blank=True)
    height = models.IntegerField(null=True, blank=True)
    seconds = models.FloatField(null=True, blank=True)
    alt_text = models.TextField(blank=True)
    transcript = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "post media"
        constraints = [models.UniqueConstraint("post", "kind", "position", name="one_row_a_medium")]

    def __str__(self) -> str:
        return f"{self.kind} {self.position} of {self.post_id}"


class PostComment(Row):
    """The comments of a post that were seen: a sample, and how many there are of which."""

    post = models.OneToOneField(Post, on_delete=models.CASCADE, related_name="comment_sample")
    sample = models.JSONField(default=list)
    seen = models.IntegerField(default=0)
    total = models.BigIntegerField(null=True, blank=True, help_text="Empty where the platform does not say.")
    closed = models.BooleanField(default=False, help_text="Comments are turned off.")
    collected_at = models.DateTimeField()
    source = models.CharField(max_length=30)

    def __str__(self) -> str:
        return f"{self.seen} of {self.total} of {self.post_id}"


class UserPostActivity(Row):
    """Which posts a user asked for, and when."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    post = models.ForeignKey(Post, on_delete=models.CASCADE, related_name="+")
    last_at = models.DateTimeField()
    times = models.IntegerField(default=1)
    reused = models.IntegerField(default=0, help_text="How often the stored post was young enough.")

    class Meta:
        verbose_name_plural = "user post activity"
        constraints = [models.UniqueConstraint("user", "post", name="one_row_a_user_and_post")]
        indexes = [models.Index("user", "last_at", "id", name="activity_of_user")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.post_id}"


class Errand(Row):
    """One run of a scraper, for one or many addresses: who holds it, the vendor's job, and until when it may last."""

    scraper = models.CharField(max_length=30)
    kind = models.CharField(max_length=10)
    platform = models.ForeignKey(Platform, on_delete=models.PROTECT, related_name="+", db_index=False)
    job = models.CharField(max_length=200, blank=True, help_text="What the vendor works under.")
    # The fence: a result counts only if this is still what it was when the work began.
    attempt = models.IntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    run_after = models.DateTimeField(null=True, blank=True)
    give_up_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index("run_after", name="errands_due", condition=Q(finished_at__isnull=True))]

    def __str__(self) -> str:
        return f"{self.scraper} {self.kind} {self.pk}"


class Wanted(Row):
    """Something that somebody wants collected, once, however many ask: a post, an author's recent posts, comments."""

    class State(models.TextChoices):
        """How far it came."""

        WAITING = "waiting"
        WORKING = "working"
        DONE = "done"
        FAILED = "failed"

    kind = models.CharField(max_length=10)
    platform = models.ForeignKey(Platform, on_delete=models.PROTECT, related_name="+", db_index=False)
    key = models.CharField(max_length=120, help_text="The post's id, or the author's handle.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    errand = models.ForeignKey(Errand, null=True, blank=True, on_delete=models.SET_NULL, related_name="wanted")
    tried = ArrayField(models.CharField(max_length=30), default=list, help_text="Scrapers that could not.")
    attempts = models.IntegerField(default=0)
    run_after = models.DateTimeField(null=True, blank=True)
    busy_until = models.DateTimeField(null=True, blank=True, help_text="Until then nobody who may know it is free.")
    asked_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    code = models.CharField(max_length=40, blank=True)
    retryable = models.BooleanField(default=False)
    note = models.CharField(max_length=500, blank=True, help_text="The vendor's word, for operators.")

    class Meta:
        verbose_name_plural = "wanted"
        constraints = [models.UniqueConstraint("kind", "platform", "key", name="wanted_once")]
        indexes = [
            models.Index("kind", "platform", "asked_at", name="wanted_waiting", condition=Q(state="waiting")),
            models.Index("created_at", "id", name="wanted_by_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
