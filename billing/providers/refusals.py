"""What a provider's no means to whoever is buying: each adapter says it in these words."""

from core.errors import Conflict, Problem, VendorRefused


class PaymentFailed(Problem):
    """The payment was refused, and your plan stays as it is."""

    code = "payment_failed"
    status = 402


class ConfirmationNeeded(PaymentFailed):
    """Your bank wants you to confirm this payment. Until then your plan stays as it is."""

    code = "payment_needs_confirmation"


class PaymentUnderWay(Conflict):
    """A payment of yours is being confirmed: wait for it before you change anything."""

    code = "payment_under_way"


class PaymentDue(Conflict):
    """Your last payment has not gone through: put that right first."""

    code = "payment_due"


class SubscriptionEnded(Conflict):
    """This subscription has ended, and goes on no more once what is paid for is over."""

    code = "subscription_ended"


class AlreadyRefunded(VendorRefused):
    """All of this payment has been given back before."""

    code = "already_refunded"
