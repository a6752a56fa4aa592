"""Posts that are out there, over HTTP."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api import checked
from social import serializers as shapes
from social.errors import AddressInvalid
from social.models import Platform
from social.platforms import PLATFORMS, parse_post_url


class Platforms(APIView):
    """The platforms that are open, and the shapes of addresses that are read."""

    permission_classes = [AllowAny]
    authentication_classes = []

    @extend_schema(responses=shapes.PlatformsSerializer)
    def get(self, request: Request) -> Response:
        rows = Platform.objects.filter(active=True, slug__in=PLATFORMS).order_by("slug").values("slug", "name")
        results = [{**row, "shapes": PLATFORMS[row["slug"]].SHAPES} for row in rows]
        return Response({"next": None, "previous": None, "results": results})


class Parse(APIView):
    """What each of these addresses is: a post, or why it is none. Nothing is collected, and it costs nothing."""

    @extend_schema(request=shapes.AddressesSerializer, responses=shapes.ParsedAddressesSerializer)
    def post(self, request: Request) -> Response:
        urls = checked(shapes.AddressesSerializer, request.data).validated_data["urls"]
        active = {*Platform.objects.filter(active=True).values_list("slug", flat=True)}
        return Response({"results": [{"url": url, **_told(url, active)} for url in urls]})


def _told(url: str, active: set[str]) -> dict[str, Any]:
    try:
        post = parse_post_url(url)
    except AddressInvalid as wrong:
        return {"error": wrong.message, "code": wrong.code}
    if post.platform not in active:
        name = PLATFORMS[post.platform].NAME
        return {"error": f"{name} is closed just now: try again later.", "code": "platform_inactive"}
    return post._asdict()
