"""What the workers do for the logs."""

from celery import shared_task

from logs.partitions import drop_old_partitions, ensure_partitions


@shared_task(name="logs.keep_partitions", ignore_result=False)
def keep_partitions() -> dict[str, list[str]]:
    return {"made": ensure_partitions(), "dropped": drop_old_partitions()}
