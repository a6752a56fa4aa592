-- Everything that the set-up touches, by name, as it stands: two of these side by side say what changes.
WITH ours AS (SELECT pg_class.* FROM pg_class WHERE oid = ANY(%(tables)s::regclass[])),
browsers AS (SELECT oid, rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated'))
SELECT 'role ' || rolname, '' FROM browsers
UNION ALL
SELECT 'row level security on ' || oid::regclass, '' FROM ours WHERE relrowsecurity
UNION ALL
SELECT format('grant on %%s to %%s', ours.oid::regclass, rolname), string_agg(privilege_type, ', ' ORDER BY privilege_type)
FROM ours, aclexplode(relacl) JOIN browsers ON browsers.oid = grantee GROUP BY ours.oid, rolname
UNION ALL
SELECT format('grant on columns of %%s to %%s: %%s', ours.oid::regclass, rolname, privilege_type),
    string_agg(attname, ', ' ORDER BY attname)
FROM ours JOIN pg_attribute ON attrelid = ours.oid, aclexplode(attacl) JOIN browsers ON browsers.oid = grantee
GROUP BY ours.oid, rolname, privilege_type
UNION ALL
SELECT format('policy %%s on %%s', polname, polrelid::regclass),
    concat_ws(' ', polcmd, polroles::regrole[], pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
FROM pg_policy WHERE polname IN ('whyral_own', 'whyral_status')
UNION ALL
SELECT format('trigger %%s on %%s', tgname, tgrelid::regclass), pg_get_triggerdef(oid)
FROM pg_trigger WHERE tgname = 'whyral_broadcast'
UNION ALL
SELECT 'schema whyral', '' WHERE to_regnamespace('whyral') IS NOT NULL
UNION ALL
SELECT 'function ' || oid::regprocedure, concat(pg_get_functiondef(oid), proacl)
FROM pg_proc WHERE pronamespace = to_regnamespace('whyral')
UNION ALL
SELECT format('grant on new %%s to %%s', CASE defaclobjtype WHEN 'r' THEN 'tables' ELSE 'sequences' END, rolname),
    string_agg(privilege_type, ', ' ORDER BY privilege_type)
FROM pg_default_acl JOIN pg_namespace ON pg_namespace.oid = defaclnamespace, aclexplode(defaclacl)
    JOIN browsers ON browsers.oid = grantee
WHERE nspname = current_schema() AND defaclrole = current_user::regrole AND defaclobjtype IN ('r', 'S')
GROUP BY defaclobjtype, rolname
