"""What the workers do for analytics."""

from celery import shared_task

from analytics import recorder


@shared_task(name="analytics.forget_old_sign_ins", ignore_result=False)
def forget_old_sign_ins() -> int:
    return recorder.forget_old_sign_ins()
