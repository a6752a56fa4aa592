"""What the answers hold, as plain dicts: the serializers describe the same and read what comes in.

Filling a serializer costs more CPU than the request around it.
"""

from typing import Any

from accounts.models import Plan, Subscription, User
from accounts.serializers import PlanSerializer, ProfileSerializer, SubscriptionSerializer
from accounts.usage import get_user_subscription

Body = dict[str, Any]


def plan_body(plan: Plan) -> Body:
    return {name: getattr(plan, name) for name in PlanSerializer.Meta.fields}


def subscription_body(subscription: Subscription) -> Body:
    later = subscription.downgrade_to_plan
    plans = {"plan": plan_body(subscription.plan), "downgrade_to_plan": plan_body(later) if later else None}
    names = SubscriptionSerializer.Meta.fields
    return {name: plans[name] if name in plans else getattr(subscription, name) for name in names}


def profile_body(user: User) -> Body:
    subscription = subscription_body(get_user_subscription(user))
    extra = {"plan": subscription["plan"], "subscription": subscription}
    return {name: getattr(user, name) for name in ProfileSerializer.Meta.fields if name not in extra} | extra
