-- What a browser could still reach and should not, by whatever way: a grant of somebody else's, PUBLIC, a role's powers, a
-- policy made by hand.
WITH ours AS (SELECT oid FROM pg_class WHERE oid = ANY(%(tables)s::regclass[]) AND relkind IN ('r', 'p')),
browsers AS (SELECT oid, rolname, rolsuper OR rolbypassrls AS is_unbound FROM pg_roles
    WHERE rolname IN ('anon', 'authenticated')),
shown AS (SELECT * FROM unnest(%(shown_tables)s::regclass[], %(shown_columns)s::text[]) AS shown (oid, attname))
SELECT format('row level security does not bind %%s', rolname) FROM browsers WHERE is_unbound
UNION ALL
SELECT format('%%s may write to %%s', rolname, ours.oid::regclass) FROM ours, browsers
WHERE has_table_privilege(browsers.oid, ours.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
    OR has_any_column_privilege(browsers.oid, ours.oid, 'INSERT, UPDATE, REFERENCES')
UNION ALL
SELECT format('%%s may read %%s of %%s', rolname, string_agg(attname, ', ' ORDER BY attnum), ours.oid::regclass)
FROM ours JOIN pg_attribute ON attrelid = ours.oid AND attnum > 0 AND NOT attisdropped, browsers
WHERE has_column_privilege(browsers.oid, ours.oid, attnum, 'SELECT')
    AND NOT (rolname = 'authenticated' AND EXISTS (
        SELECT FROM shown WHERE shown.oid = ours.oid AND shown.attname = pg_attribute.attname
    ))
GROUP BY rolname, ours.oid
UNION ALL
SELECT format('policy %%s on %%s is not ours', polname, polrelid::regclass)
FROM pg_policy JOIN ours ON ours.oid = polrelid
WHERE polpermissive AND polname <> 'whyral_own' AND polroles && (SELECT array_agg(oid) || 0::oid FROM browsers)
