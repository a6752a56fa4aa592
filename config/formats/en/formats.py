"""Moments to the second: a log without seconds is of no use."""

DATETIME_FORMAT = "j M Y, H:i:s"
DATE_FORMAT = "j M Y"
