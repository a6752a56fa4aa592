"""What beat sends, and when; how messages travel."""

from typing import Any

from celery.schedules import crontab

# Without these a hung Redis blocks `.delay()` for ever, and a lost message comes back only after 100 s more.
TRANSPORT = {
    "visibility_timeout": 3600,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
QUEUES = ("default", "io", "cpu", "chat")
# Tasks that are not for the default queue.
ROUTES = {name: {"queue": "io"} for name in ("social.sweep", "social.sweep_media", "social.collect_again")}
SCHEDULE: dict[str, dict[str, Any]] = {
    **{
        f"heartbeat-{queue}": {"task": "config.heartbeat", "schedule": 10.0, "options": {"queue": queue, "expires": 10}}
        for queue in QUEUES
    },
    "send-waiting-mail": {"task": "accounts.send_waiting_mail", "schedule": 30.0, "options": {"expires": 30}},
    "finish-erasures": {"task": "accounts.finish_erasures", "schedule": 300.0, "options": {"expires": 300}},
    "sweep-analyses": {"task": "analysis.sweep", "schedule": 2.0, "options": {"expires": 2}},
    "sweep-answers": {"task": "analysis.sweep_answers", "schedule": 5.0, "options": {"expires": 5}},
    "sweep-collections": {"task": "social.sweep", "schedule": 10.0, "options": {"queue": "io", "expires": 10}},
    "sweep-billing": {"task": "billing.sweep", "schedule": 10.0, "options": {"expires": 10}},
    "tidy-checkouts": {"task": "billing.tidy_checkouts", "schedule": 600.0, "options": {"expires": 600}},
    "fulfil-wishes": {"task": "billing.fulfil_wishes", "schedule": 60.0, "options": {"expires": 60}},
    "end-lapsed": {"task": "billing.end_lapsed", "schedule": 300.0, "options": {"expires": 300}},
    "scheduled-downgrades": {"task": "billing.process_scheduled_downgrades", "schedule": crontab(hour=0, minute=0)},
    # Each round ends before a task has to, and the next goes on where it stopped.
    "reconcile-billing": {
        "task": "billing.reconcile",
        "schedule": crontab(hour="4-8", minute="*/5"),
        "options": {"expires": 300},
    },
    "sweep-media": {"task": "social.sweep_media", "schedule": crontab(hour=4, minute=10)},
    "tidy-billing": {"task": "billing.tidy", "schedule": crontab(hour=3, minute=45)},
    "tidy-posts": {"task": "social.tidy", "schedule": crontab(hour=3, minute=30)},
    "keep-partitions": {"task": "logs.keep_partitions", "schedule": crontab(hour=3, minute=40)},
    "tidy-analytics": {"task": "analytics.tidy", "schedule": crontab(hour=3, minute=50)},
    "forget-expired": {"task": "accounts.forget_expired", "schedule": crontab(hour=3, minute=20)},
}
