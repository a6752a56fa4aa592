"""The backend Django loads for the engine `core.postgres`."""

import select
from typing import Any

from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Gives out pooled connections only while their server is there.

    Django's health check asks the server on every request. A server that is gone has closed its end, and the kernel
    knows: the socket of an idle connection then has something to read.
    """

    def get_new_connection(self, conn_params: Any) -> Any:
        fresh = super().get_new_connection(conn_params)
        while self.pool and _has_ended(fresh):
            # A closed connection is not kept by the pool, so this ends with a new one, or with the pool's own timeout.
            fresh.close()
            self.pool.putconn(fresh)
            fresh = super().get_new_connection(conn_params)
        return fresh


def _has_ended(connection: Any) -> bool:
    watch = select.poll()
    watch.register(connection.fileno(), select.POLLIN | select.POLLHUP)
    return bool(watch.poll(0))
