"""What the workers do for accounts."""

from celery import shared_task

from accounts.idempotency import forget_expired_answers
from accounts.identity.sessions import forget_ended_sessions
from accounts.mail import forget_sent_mail, send_owed_mail, waiting_mail
from accounts.services import try_to_erase, waiting_erasures
from core.queue import enqueue


@shared_task(name="accounts.send_mail")
def send_mail(mail_id: str) -> None:
    send_owed_mail(mail_id)


@shared_task(name="accounts.send_waiting_mail")
def send_waiting_mail() -> None:
    for mail_id in waiting_mail():
        enqueue("accounts.send_mail", mail_id)


@shared_task(name="accounts.erase")
def erase_account(user_id: str) -> None:
    try_to_erase(user_id)


@shared_task(name="accounts.finish_erasures")
def finish_erasures() -> None:
    for user_id in waiting_erasures():
        enqueue("accounts.erase", user_id)


@shared_task(name="accounts.forget_expired", ignore_result=False)
def forget_expired() -> dict[str, int]:
    return {
        "answers": forget_expired_answers(),
        "sessions": forget_ended_sessions(),
        "mails": forget_sent_mail(),
    }
