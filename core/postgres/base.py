"""The backend Django loads for the engine `core.postgres`."""

import select
from typing import Any

from django.db.backends.postgresql import base, operations
from psycopg.pq import TransactionStatus


class DatabaseOperations(operations.DatabaseOperations):
    """Knows what a prepared statement was sent with: the cursor itself holds no text with the values in it."""

    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> Any:
        return super().last_executed_query(cursor, sql, params) or self.compose_sql(sql, params)


class DatabaseWrapper(base.DatabaseWrapper):
    """Uses connections only while their server is there, and does not ask it.

    Django's health check asks the server on every request, and for every task. A server that is gone has closed its
    end, and the kernel knows: the socket of an idle connection then has something to read.
    """

    ops_class = DatabaseOperations

    def get_new_connection(self, conn_params: Any) -> Any:
        fresh = super().get_new_connection(conn_params)
        while self.pool and _has_ended(fresh):
            # A closed connection is not kept by the pool, so this ends with a new one, or with the pool's own timeout.
            fresh.close()
            self.pool.putconn(fresh)
            fresh = super().get_new_connection(conn_params)
        return fresh

    def _set_autocommit(self, autocommit: bool) -> None:
        # Each request takes a connection of the pool, and finds it as it wants it.
        if self.connection.autocommit != autocommit:
            super()._set_autocommit(autocommit)  # type: ignore[misc]

    def is_usable(self) -> bool:
        # After an error, or within a transaction, there is more to doubt than whether the server is there.
        if self.errors_occurred or self.connection.info.transaction_status != TransactionStatus.IDLE:
            return bool(super().is_usable())
        return not _has_ended(self.connection)


def _has_ended(connection: Any) -> bool:
    watch = select.poll()
    watch.register(connection.fileno(), select.POLLIN | select.POLLHUP)
    return bool(watch.poll(0))
