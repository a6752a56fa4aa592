"""What stands in the way of whoever is buying: each adapter says its provider's no in these words."""

from core.errors import Conflict, Invalid, Problem, VendorRefused


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
    """This subscription has ended, and cannot be changed any more. Buy a plan anew with subscribe/."""

    code = "subscription_ended"


class AlreadyRefunded(VendorRefused):
    """All of this payment has been given back before."""

    code = "already_refunded"


class NotPaid(Conflict):
    """This takes a paid subscription, and there is none. Buy a plan with subscribe/ first."""

    code = "not_paid"


class CustomerOfAnother(Conflict):
    """The provider keeps what you pay for with somebody else's, so its pages stay shut. Please tell our support."""

    code = "customer_of_another"


class PreviewTooOld(Conflict):
    """What was shown is some time ago: look once more at what it costs now."""

    code = "preview_too_old"


class NotForSale(Invalid):
    """This plan cannot be bought. Those that can are listed at /api/accounts/plans/."""

    code = "plan_not_for_sale"
