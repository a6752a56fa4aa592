"""What the garbage collector does not walk while somebody is being served."""

import gc
import os
import subprocess
import sys

from celery.signals import worker_init

from config.celery import leave_code_alone

# Far fewer than Django alone makes.
MANY = 50_000


def test_a_server_has_loaded_its_views_and_leaves_them_alone() -> None:
    look = "import config.asgi, gc, sys; print(gc.get_freeze_count(), 'analysis.chat.views' in sys.modules)"
    said = subprocess.run(
        [sys.executable, "-c", look], env=os.environ | {"DEBUG": "true"}, capture_output=True, text=True, check=True,
        timeout=60,
    )  # fmt: skip
    frozen, has_views = said.stdout.split()
    assert int(frozen) > MANY
    assert has_views == "True"


def test_a_worker_leaves_its_code_alone_before_it_forks() -> None:
    # Sent before the processes of a pool are forked. Not here: Celery's own receivers would make this process a worker.
    assert leave_code_alone in [receiver() for _, receiver in worker_init.receivers]
    try:
        leave_code_alone()
        assert gc.get_freeze_count() > MANY
    finally:
        gc.unfreeze()
