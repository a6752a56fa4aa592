"""What becomes of a failed task's error."""

import pytest
from django.db import connection
from django_celery_results.models import TaskResult

from config.celery import app

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def keep(task_id):
    app.backend.store_result(task_id, ValueError("wrong"), "FAILURE", traceback="a line")


def test_an_error_that_cannot_be_kept_is_let_go_so_that_the_worker_stays_able_to_take_messages():
    connection.ensure_connection()
    connection.connection.close()
    keep("while-away")
    connection.close()
    keep("after")
    assert list(TaskResult.objects.values_list("task_id", flat=True)) == ["after"]
