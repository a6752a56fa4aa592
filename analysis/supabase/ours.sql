-- The tables that Django made, the months that some consist of, and the sequences behind their keys.
WITH RECURSIVE ours AS (
    SELECT pg_class.oid FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE nspname = current_schema() AND relkind IN ('r', 'p') AND relname = ANY(%(names)s::text[])
    UNION
    SELECT inhrelid FROM pg_inherits JOIN ours ON inhparent = ours.oid
), all_of_them AS (
    SELECT oid FROM ours
    UNION
    SELECT objid FROM pg_depend JOIN ours ON refobjid = ours.oid JOIN pg_class sequence ON sequence.oid = objid
    WHERE pg_depend.classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND relkind = 'S'
)
SELECT oid::regclass::text, relkind = 'S', relrowsecurity FROM all_of_them JOIN pg_class USING (oid) ORDER BY 1
