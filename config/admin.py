"""The desk's own pages, and the machine room: tasks, their schedule, and what staff have done."""

from typing import Any

from celery import current_app
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import path
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    PeriodicTasks,
    SolarSchedule,
)
from django_celery_results.models import GroupResult, TaskResult

from config.desk import money, thread, vendors
from core.admin import Between, ReadOnlyAdmin, counted, one_of

STATES = ("PENDING", "STARTED", "SUCCESS", "FAILURE", "RETRY", "REVOKED")

# The schedule is in the code (config/schedule.py); groups are never used.
for model in (ClockedSchedule, CrontabSchedule, GroupResult, IntervalSchedule, PeriodicTask, SolarSchedule, TaskResult):
    admin.site.unregister(model)

# One name for it in the menu, on its page and on the buttons that lead there; a migration has no part in it.
LogEntry._meta.verbose_name_plural = "what staff did"

admin.site.index_template = "desk/start.html"
admin.site.index_title = "Start"
# Taken up by django-unfold's site.
admin.site.extra_urls = lambda: [  # type: ignore[attr-defined]
    path("thread/", admin.site.admin_view(thread.find), name="find_thread"),
    path("thread/<str:request_id>/", admin.site.admin_view(thread.show), name="thread"),
    path("money/", admin.site.admin_view(money.show), name="money"),
    path("vendors/", admin.site.admin_view(vendors.show), name="vendors"),
]


@admin.register(TaskResult)
class TaskResultAdmin(ReadOnlyAdmin):
    """How a task ended; only failures and what asks for it are kept."""

    list_display = ["task_id", "task_name", "status", "worker", "date_created", "date_done"]
    list_filter = [one_of("status", STATES)]
    search_fields = ["task_id", "task_name"]
    search_help_text = "A task's id or its name, in full."


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(ReadOnlyAdmin):
    """What beat sends, and when. The schedule itself is code; here it is paused, or sent at once."""

    list_display = ["name", "task", "when", "enabled", "last_run_at", "total_run_count"]
    # The rest of the columns is for brokers and schedules that are not used here.
    fields = list_display
    list_before_template = "desk/schedule.html"
    list_select_related = ["interval", "crontab", "solar", "clocked"]
    list_filter = ["enabled"]
    search_fields = ["name__startswith"]
    search_help_text = "The beginning of a name."
    ordering = ["name"]
    actions = ["send_now", "pause", "go_on"]

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("django_celery_beat.change_periodictask")

    @admin.display(description="when")
    def when(self, task: PeriodicTask) -> str:
        return str(task.crontab.human_readable if task.crontab else task.interval or task.schedule)

    @admin.action(description="Send now", permissions=["send"])
    def send_now(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        tasks = list(queryset)
        for task in tasks:
            current_app.send_task(task.task, queue=task.queue or None)
        self.note(request, tasks, "Sent at once.")
        self.message_user(request, f"{counted(len(tasks), 'task', 'tasks')} sent.")

    @admin.action(description="Pause", permissions=["send"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._enable(request, queryset, enabled=False)

    @admin.action(description="Go on", permissions=["send"])
    def go_on(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._enable(request, queryset, enabled=True)

    def _enable(self, request: HttpRequest, queryset: QuerySet[Any], *, enabled: bool) -> None:
        # Fetched first: a list filtered by "enabled" would be empty after the update.
        tasks = list(queryset)
        PeriodicTask.objects.filter(pk__in=[task.pk for task in tasks]).update(enabled=enabled)
        PeriodicTasks.update_changed()
        self.note(request, tasks, "Goes on." if enabled else "Paused.")
        words = ("task goes on", "tasks go on") if enabled else ("task is paused", "tasks are paused")
        self.message_user(request, f"{counted(len(tasks), *words)}.")


@admin.register(LogEntry)
class LogEntryAdmin(ReadOnlyAdmin):
    """What staff have done here."""

    list_display = ["action_time", "user", "content_type", "object_repr", "what"]
    list_filter = [("action_time", Between)]
    list_select_related = ["user", "content_type"]
    search_fields = ["user__pk", "user__email__startswith"]
    search_help_text = "The beginning of the e-mail address of who did it, or their id."

    @admin.display(description="what")
    def what(self, entry: LogEntry) -> str:
        return entry.get_change_message() or entry.get_action_flag_display()
