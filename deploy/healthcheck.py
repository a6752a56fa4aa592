"""Asks the server in this container whether it lives, under a host name that it answers to."""

import http.client
import os
import sys

host = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".")
connection = http.client.HTTPConnection("127.0.0.1", 8000, timeout=4)
connection.request("GET", "/health/live/", headers={"Host": host})
sys.exit(connection.getresponse().status != http.HTTPStatus.OK)
