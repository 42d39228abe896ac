"""What is asked of pg_catalog: a handful of queries over whole schemas, never one for a table.

Each answers rows of one kind. Names come out as the parser would need them with an empty
search_path, so that two databases that mean the same say the same. What an extension brought, and
the partitions of a table, are left out; a partition is told by its name only.
"""

from __future__ import annotations

from typing import LiteralString

SCHEMAS: LiteralString = """
    SELECT oid, nspname FROM pg_namespace WHERE nspname = ANY (%(schemas)s::text[])
"""
OF_EXTENSION: LiteralString = """
    SELECT objid FROM pg_depend WHERE classid = '{}'::regclass AND deptype = 'e'
"""
RELATIONS: LiteralString = f"""
    SELECT c.*, n.nspname FROM pg_class c JOIN ({SCHEMAS}) n ON n.oid = c.relnamespace
    WHERE c.oid NOT IN ({OF_EXTENSION.format("pg_class")})
"""

COLUMNS: LiteralString = f"""
WITH relation AS MATERIALIZED ({RELATIONS}),
owned AS (  -- sequences of serial columns
    SELECT d.refobjid, d.refobjsubid, min(d.objid) AS sequence
    FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.deptype = 'a'
    GROUP BY 1, 2)
SELECT c.nspname AS schema, c.relname AS table, c.relkind::text AS relkind,
       c.relpersistence = 'u' AS unlogged, c.relispartition AS partition,
       c.relrowsecurity AS row_security,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS definition,
       a.attname AS name,
       -- An extension may have been put into any schema.
       CASE WHEN EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_type'::regclass
                         AND x.objid = COALESCE(e.oid, t.oid) AND x.deptype = 'e')
            THEN regexp_replace(format_type(a.atttypid, a.atttypmod), '^[^.]+[.]', '')
            ELSE format_type(a.atttypid, a.atttypmod) END AS type,
       COALESCE(t.typtype = 'e' OR e.typtype = 'e', false) AS enum,
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS base_type,
       a.attnotnull AS not_null,
       pg_get_expr(d.adbin, d.adrelid) AS default,
       COALESCE(pg_get_expr(d.adbin, d.adrelid) = format('nextval(%%L::regclass)',
                owned.sequence::regclass::text), false) AS serial,
       a.attidentity::text AS identity, a.attgenerated::text AS generated,
       CASE WHEN a.attcollation <> t.typcollation THEN l.collname END AS collation
FROM relation c
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    AND NOT c.relispartition
LEFT JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN owned ON owned.refobjid = c.oid AND owned.refobjsubid = a.attnum
LEFT JOIN pg_collation l ON l.oid = a.attcollation
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY 1, 2, a.attnum
"""

INDEXES: LiteralString = f"""
WITH relation AS MATERIALIZED ({RELATIONS})
SELECT c.nspname AS schema, c.relname AS table, i.relname AS name,
       x.indisunique AS unique, x.indisprimary AS primary, x.indisvalid AS valid,
       k.oid IS NOT NULL AS constraint, COALESCE(k.condeferrable, false) AS deferrable,
       COALESCE(k.condeferred, false) AS deferred,
       regexp_replace(pg_get_indexdef(x.indexrelid), '^.*? USING ', '') AS definition
FROM pg_index x
JOIN relation c ON c.oid = x.indrelid AND NOT c.relispartition
JOIN pg_class i ON i.oid = x.indexrelid
LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')
WHERE k.contype IS DISTINCT FROM 'x'
ORDER BY 1, 2, 3
"""

CONSTRAINTS: LiteralString = f"""
WITH relation AS MATERIALIZED ({RELATIONS})
SELECT c.nspname AS schema, c.relname AS table, k.conname AS name,
       CASE k.contype WHEN 'f' THEN 'foreign key' WHEN 'c' THEN 'check' ELSE 'exclusion' END
           AS kind,
       ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY u (n, o)
             JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n
             ORDER BY u.o) AS columns,
       rn.nspname AS ref_schema, r.relname AS ref_table,
       ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY u (n, o)
             JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n
             ORDER BY u.o) AS ref_columns,
       CASE k.confupdtype WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT'
            WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
       END AS on_update,
       CASE k.confdeltype WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT'
            WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
       END AS on_delete,
       CASE k.confmatchtype WHEN 'f' THEN 'FULL' WHEN 'p' THEN 'PARTIAL' ELSE 'SIMPLE' END
           AS match,
       k.condeferrable AS deferrable, k.condeferred AS deferred, k.convalidated AS validated,
       CASE WHEN k.contype <> 'f' THEN
           regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') END AS definition
FROM pg_constraint k
JOIN relation c ON c.oid = k.conrelid AND NOT c.relispartition
LEFT JOIN pg_class r ON r.oid = k.confrelid
LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE k.contype IN ('f', 'c', 'x') AND k.conparentid = 0
ORDER BY 1, 2, 3
"""

ENUMS: LiteralString = f"""
SELECT n.nspname AS schema, t.typname AS name,
       array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
FROM pg_type t JOIN ({SCHEMAS}) n ON n.oid = t.typnamespace JOIN pg_enum e ON e.enumtypid = t.oid
WHERE t.oid NOT IN ({OF_EXTENSION.format("pg_type")})
GROUP BY 1, 2 ORDER BY 1, 2
"""

DOMAINS: LiteralString = f"""
SELECT n.nspname AS schema, t.typname AS name,
       concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
           CASE WHEN t.typnotnull THEN 'NOT NULL' END, 'DEFAULT ' || t.typdefault,
           (SELECT string_agg(pg_get_constraintdef(k.oid), ' ' ORDER BY pg_get_constraintdef(k.oid))
            FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c')) AS definition
FROM pg_type t JOIN ({SCHEMAS}) n ON n.oid = t.typnamespace
WHERE t.typtype = 'd' AND t.oid NOT IN ({OF_EXTENSION.format("pg_type")})
ORDER BY 1, 2
"""

SEQUENCES: LiteralString = f"""
SELECT c.nspname AS schema, c.relname AS name,
       format('%%s INCREMENT %%s START %%s MINVALUE %%s MAXVALUE %%s%%s',
           format_type(s.seqtypid, NULL), s.seqincrement, s.seqstart, s.seqmin, s.seqmax,
           CASE WHEN s.seqcycle THEN ' CYCLE' END) AS definition
FROM ({RELATIONS}) c JOIN pg_sequence s ON s.seqrelid = c.oid
WHERE c.oid NOT IN (SELECT objid FROM pg_depend
    WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
      AND deptype IN ('a', 'i'))
ORDER BY 1, 2
"""

TRIGGERS: LiteralString = f"""
SELECT c.nspname AS schema, c.relname AS table, g.tgname AS name,
       pg_get_triggerdef(g.oid) AS definition, g.tgenabled <> 'D' AS enabled
FROM pg_trigger g JOIN ({RELATIONS}) c ON c.oid = g.tgrelid AND NOT c.relispartition
WHERE NOT g.tgisinternal
ORDER BY 1, 2, 3
"""

FUNCTIONS: LiteralString = f"""
SELECT n.nspname AS schema,
       format('%%s(%%s)', p.proname, pg_get_function_identity_arguments(p.oid)) AS name,
       concat_ws(' ', pg_get_function_result(p.oid), md5(pg_get_functiondef(p.oid))) AS definition
FROM pg_proc p JOIN ({SCHEMAS}) n ON n.oid = p.pronamespace JOIN pg_language l ON l.oid = p.prolang
WHERE p.prokind <> 'a' AND p.oid NOT IN ({OF_EXTENSION.format("pg_proc")})
ORDER BY 1, 2
"""

EXTENSIONS: LiteralString = """
SELECT n.nspname AS schema, e.extname AS name, e.extversion AS version
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname <> 'plpgsql'
ORDER BY 2
"""
