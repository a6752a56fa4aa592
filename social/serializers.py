"""What comes in and goes out of the social endpoints, as OpenAPI tells it."""

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from core.api import Text
from social.platforms.address import LONGEST

MOST_ADDRESSES = 100
READ = {
    "url": "https://youtu.be/jNQXAC9IVRw?si=x",
    "platform": "youtube",
    "post_id": "jNQXAC9IVRw",
    "canonical_url": "https://www.youtube.com/watch?v=jNQXAC9IVRw",
}
REFUSED = {
    "url": "https://www.youtube.com/@jawed",
    "error": "This is no video: open one video and paste its address.",
    "code": "profile",
}


class PlatformSerializer(serializers.Serializer[None]):
    """A platform, and the shapes of addresses that are read."""

    slug = serializers.CharField()
    name = serializers.CharField()
    shapes = serializers.ListField(child=serializers.CharField())


class PlatformsSerializer(serializers.Serializer[None]):
    """The platforms that are open, on one page."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = PlatformSerializer(many=True)


@extend_schema_serializer(
    examples=[OpenApiExample("Two addresses", value={"urls": [READ["url"], REFUSED["url"]]}, request_only=True)]
)
class AddressesSerializer(serializers.Serializer[None]):
    """Addresses as a person pasted them."""

    urls = serializers.ListField(
        child=Text(max_length=LONGEST, trim_whitespace=False, allow_blank=True),
        min_length=1,
        max_length=MOST_ADDRESSES,
    )


class ParsedAddressSerializer(serializers.Serializer[None]):
    """One address: the post it names, or what is wrong with it."""

    url = serializers.CharField(allow_blank=True)
    platform = serializers.CharField(required=False)
    post_id = serializers.CharField(required=False)
    canonical_url = serializers.URLField(required=False)
    error = serializers.CharField(required=False, help_text="One sentence: what is wrong, and what would work.")
    code = serializers.CharField(required=False)


@extend_schema_serializer(examples=[OpenApiExample("One is read, one is not", value={"results": [READ, REFUSED]})])
class ParsedAddressesSerializer(serializers.Serializer[None]):
    """What each address is, in the order asked."""

    results = ParsedAddressSerializer(many=True)
