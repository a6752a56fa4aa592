"""The database as the migrations leave it, put back after each test that commits.

Django would empty every table and read back the rows of the migrations as objects, half a second each time. Here the
tables that hold something are emptied, and those rows come from a copy beside them: a test finds the same database
whatever ran before it, in any order.
"""

from collections.abc import Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

COPY = "pristine"
# Foreign keys are checked by triggers, which a replica leaves alone: so the order of the tables does not matter.
RESTORE = """
DO $$ DECLARE name text; filled boolean; BEGIN
    PERFORM set_config('session_replication_role', 'replica', true);
    FOREACH name IN ARRAY '{%s}'::text[] LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %%I)', name) INTO filled;
        IF filled THEN EXECUTE format('DELETE FROM %%I', name); END IF;
    END LOOP;
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = '%s' LOOP
        EXECUTE format('INSERT INTO %%I SELECT * FROM %s.%%I', name, name);
    END LOOP;
END $$"""


def keep_pristine(connection: BaseDatabaseWrapper) -> None:
    """Copy what is there now, and have it put back wherever Django would flush."""
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {COPY}")
        for table in connection.introspection.django_table_names(only_existing=True, include_views=False):
            cursor.execute(f"CREATE TABLE {COPY}.{table} AS TABLE {table}")

    def flush(style: Any, tables: Sequence[str], **_: Any) -> list[str]:
        return [RESTORE % (",".join(tables), COPY, COPY)]

    connection.ops.sql_flush = flush  # type: ignore[method-assign]
    connection.creation.deserialize_db_from_string = lambda data: None  # type: ignore[method-assign]
