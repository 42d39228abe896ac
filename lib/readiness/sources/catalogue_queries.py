"""What is asked of pg_catalog: a handful of queries over whole schemas, never one for a table.

Each answers rows of one kind. Names come out as the parser would need them with an empty
search_path, so that two databases that mean the same say the same. What an extension brought is
left out; a partition is told by its bounds only, the rest is its parent's. Only what the catalogues
of PostgreSQL 13 have is asked for, so that 13 to 18 answer alike; what came later (NOT ENFORCED) is
read from the definitions that the server writes.
"""

from __future__ import annotations

from typing import LiteralString

# No path: every name comes out in full. No compiling: it takes longer than the queries. And memory
# for 10,000 tables, without which the sets that rows are looked up in are searched row by row.
SETTINGS: LiteralString = """
    SELECT set_config('search_path', 'pg_catalog', false), set_config('jit', 'off', false),
           set_config('work_mem', '64MB', false)
"""
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

# The schema public is always there, and one with nothing in it is no matter.
IN_USE: LiteralString = f"""
SELECT n.nspname AS schema, n.nspname AS name FROM ({SCHEMAS}) n
WHERE n.nspname <> 'public'
  AND EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_namespace'::regclass
              AND d.refobjid = n.oid AND d.deptype = 'n')
ORDER BY 1
"""

ACTION: LiteralString = """
    CASE k.conf{}type WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE'
         WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END"""
SEQUENCE: LiteralString = """
    format('%%s INCREMENT %%s START %%s MINVALUE %%s MAXVALUE %%s %%sCYCLE',
           format_type(s.seqtypid, NULL), s.seqincrement, s.seqstart, s.seqmin, s.seqmax,
           CASE WHEN NOT s.seqcycle THEN 'NO ' END)"""

TABLES: LiteralString = f"""
WITH parents AS (
    SELECT i.inhrelid, array_agg(i.inhparent::regclass::text ORDER BY i.inhseqno) AS names
    FROM pg_inherits i GROUP BY 1)
SELECT c.nspname AS schema, c.relname AS table, c.relkind::text AS relkind,
       c.relpersistence = 'u' AS unlogged, c.relispartition AS partition,
       c.relrowsecurity AS row_security, c.relforcerowsecurity AS forced_row_security,
       COALESCE(parents.names, ARRAY[]::text[]) AS parents,
       CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END AS bounds,
       CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_key,
       array_to_string(c.reloptions, ', ') AS options,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS definition
FROM ({RELATIONS}) c LEFT JOIN parents ON parents.inhrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY 1, 2
"""

COLUMNS: LiteralString = f"""
WITH relation AS MATERIALIZED (
    SELECT c.oid, c.relname, c.nspname FROM ({RELATIONS}) c
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition),
of_extension AS MATERIALIZED ({OF_EXTENSION.format("pg_type")}),
owned AS (  -- sequences of serial and identity columns
    SELECT d.refobjid, d.refobjsubid, min(d.objid) AS sequence
    FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    GROUP BY 1, 2)
SELECT c.nspname AS schema, c.relname AS table, a.attnum AS number, a.attname AS name,
       -- An extension may have been put into any schema.
       CASE WHEN COALESCE(e.oid, t.oid) IN (SELECT objid FROM of_extension)
            THEN regexp_replace(format_type(a.atttypid, a.atttypmod), '^[^.]+[.]', '')
            ELSE format_type(a.atttypid, a.atttypmod) END AS type,
       COALESCE(t.typtype = 'e' OR e.typtype = 'e', false) AS enum,
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS base_type,
       a.attnotnull AS not_null, f.text AS default,
       owned.sequence IS NOT NULL AND COALESCE(f.text = format('nextval(%%L::regclass)',
           owned.sequence::regclass::text), false) AS serial,
       CASE WHEN s.seqrelid IS NOT NULL THEN {SEQUENCE} END AS sequence,
       a.attidentity::text AS identity, a.attgenerated::text AS generated,
       CASE WHEN a.attcollation <> t.typcollation THEN l.collname END AS collation
FROM relation c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type t ON t.oid = a.atttypid
LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
LEFT JOIN LATERAL (
    SELECT pg_get_expr(d.adbin, d.adrelid) AS text WHERE d.oid IS NOT NULL OFFSET 0) f ON true
LEFT JOIN owned ON owned.refobjid = c.oid AND owned.refobjsubid = a.attnum
LEFT JOIN pg_sequence s ON s.seqrelid = owned.sequence
LEFT JOIN pg_collation l ON l.oid = a.attcollation
ORDER BY 1, 2, 3
"""

# Writing out an index is what the server is slowest at, so a plain one (btree over columns, nothing
# else said) is told by the numbers of its columns, and a key by its constraint. A definition begins
# with words and names of known length; what matters comes after them.
INDEXES: LiteralString = f"""
WITH relation AS MATERIALIZED (
    SELECT c.oid, c.relname, c.nspname, c.relkind FROM ({RELATIONS}) c
    WHERE c.relkind IN ('r', 'p', 'm') AND NOT c.relispartition),
usual AS MATERIALIZED (
    SELECT array_agg(oid) AS classes FROM pg_opclass
    WHERE opcdefault AND opcmethod = 403 AND oid < 16384),
collated AS MATERIALIZED (
    SELECT a.attrelid FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
    WHERE a.attnum > 0 AND a.attcollation <> t.typcollation)
SELECT c.nspname AS schema, c.relname AS table, i.relname AS name,
       x.indisunique AS unique, x.indisprimary AS primary, x.indisvalid AS valid,
       k.oid IS NOT NULL AS constraint, COALESCE(k.condeferrable, false) AS deferrable,
       COALESCE(k.condeferred, false) AS deferred,
       pg_get_constraintdef(k.oid) AS constraint_definition, x.indkey::text AS keys,
       CASE WHEN k.oid IS NULL AND NOT (
           NOT x.indisunique AND i.relam = 403 AND x.indexprs IS NULL AND x.indpred IS NULL
           AND x.indnatts = x.indnkeyatts AND i.reloptions IS NULL
           AND x.indoption::text !~ '[1-9]' AND x.indclass::oid[] <@ usual.classes
           AND x.indcollation::oid[] <@ '{{0,100}}'
           AND x.indrelid NOT IN (SELECT attrelid FROM collated))
       THEN substr(pg_get_indexdef(x.indexrelid), 1 + length(format(
           'CREATE %%sINDEX %%I ON %%s%%I.%%I USING ',
           CASE WHEN x.indisunique THEN 'UNIQUE ' END, i.relname,
           CASE WHEN c.relkind = 'p' THEN 'ONLY ' END, c.nspname, c.relname)))
       END AS definition
FROM pg_index x
CROSS JOIN usual
JOIN relation c ON c.oid = x.indrelid
JOIN pg_class i ON i.oid = x.indexrelid
LEFT JOIN pg_constraint k ON k.conindid = x.indexrelid AND k.contype IN ('p', 'u', 'x')
WHERE k.contype IS DISTINCT FROM 'x'
ORDER BY 1, 2, 3
"""

CONSTRAINTS: LiteralString = f"""
WITH relation AS MATERIALIZED (
    SELECT c.oid, c.relname, c.nspname FROM ({RELATIONS}) c
    WHERE c.relkind IN ('r', 'p', 'f') AND NOT c.relispartition)
SELECT c.nspname AS schema, c.relname AS table, k.conname AS name,
       CASE k.contype WHEN 'f' THEN 'foreign key' WHEN 'c' THEN 'check' ELSE 'exclusion' END
           AS kind,
       rn.nspname AS ref_schema, r.relname AS ref_table,
       {ACTION.format("upd")} AS on_update, {ACTION.format("del")} AS on_delete,
       CASE k.confmatchtype WHEN 'f' THEN 'FULL' WHEN 'p' THEN 'PARTIAL' ELSE 'SIMPLE' END
           AS match,
       k.condeferrable AS deferrable, k.condeferred AS deferred, k.convalidated AS validated,
       pg_get_constraintdef(k.oid) AS definition
FROM pg_constraint k
JOIN relation c ON c.oid = k.conrelid
LEFT JOIN pg_class r ON r.oid = k.confrelid
LEFT JOIN pg_namespace rn ON rn.oid = r.relnamespace
WHERE k.contype IN ('f', 'c', 'x') AND k.conparentid = 0 AND (k.contype <> 'c' OR k.conislocal)
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
SELECT n.nspname AS schema, t.typname AS name, format_type(t.typbasetype, t.typtypmod) AS type,
       t.typnotnull AS not_null, t.typdefault AS default,
       COALESCE((SELECT jsonb_object_agg(k.conname, pg_get_constraintdef(k.oid))
                 FROM pg_constraint k WHERE k.contypid = t.oid AND k.contype = 'c'), '{{}}')
           AS checks
FROM pg_type t JOIN ({SCHEMAS}) n ON n.oid = t.typnamespace
WHERE t.typtype = 'd' AND t.oid NOT IN ({OF_EXTENSION.format("pg_type")})
ORDER BY 1, 2
"""

TYPES: LiteralString = f"""
SELECT n.nspname AS schema, t.typname AS name,
       COALESCE('RANGE (SUBTYPE = ' || format_type(r.rngsubtype, NULL) || ')',
           '(' || (SELECT string_agg(concat_ws(' ', quote_ident(a.attname),
                       format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum)
                   FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT a.attisdropped) || ')')
           AS definition
FROM pg_type t JOIN ({SCHEMAS}) n ON n.oid = t.typnamespace
LEFT JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
LEFT JOIN pg_range r ON r.rngtypid = t.oid
WHERE (c.oid IS NOT NULL OR r.rngtypid IS NOT NULL)
  AND t.oid NOT IN ({OF_EXTENSION.format("pg_type")})
ORDER BY 1, 2
"""

SEQUENCES: LiteralString = f"""
SELECT c.nspname AS schema, c.relname AS name, {SEQUENCE} AS definition
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

RULES: LiteralString = f"""
SELECT c.nspname AS schema, c.relname AS table, r.rulename AS name,
       pg_get_ruledef(r.oid) AS definition, r.ev_enabled <> 'D' AS enabled
FROM pg_rewrite r JOIN ({RELATIONS}) c ON c.oid = r.ev_class
WHERE r.rulename <> '_RETURN'
ORDER BY 1, 2, 3
"""

POLICIES: LiteralString = f"""
SELECT c.nspname AS schema, c.relname AS table, p.polname AS name,
       concat_ws(' ', CASE WHEN p.polpermissive THEN 'AS PERMISSIVE' ELSE 'AS RESTRICTIVE' END,
           'FOR ' || CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT'
               WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
           'TO ' || COALESCE((SELECT string_agg(quote_ident(o.rolname), ', ' ORDER BY o.rolname)
               FROM pg_roles o WHERE o.oid = ANY (p.polroles)), 'PUBLIC'),
           'USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
           'WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')') AS definition
FROM pg_policy p JOIN ({RELATIONS}) c ON c.oid = p.polrelid
ORDER BY 1, 2, 3
"""

# ``body`` is null where the text must not leave the server: it may hold what is secret.
FUNCTIONS: LiteralString = f"""
SELECT n.nspname AS schema,
       format('%%I(%%s)', p.proname, oidvectortypes(p.proargtypes)) AS name,
       CASE p.prokind WHEN 'p' THEN 'PROCEDURE' WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END
           AS form,
       concat_ws(' ', pg_get_function_result(p.oid), md5(d.text)) AS definition,
       CASE WHEN %(bodies)s THEN d.text END AS body
FROM pg_proc p JOIN ({SCHEMAS}) n ON n.oid = p.pronamespace
CROSS JOIN LATERAL (SELECT CASE WHEN p.prokind = 'a'
    THEN (SELECT concat_ws(' ', a.aggtransfn::regproc, a.aggfinalfn::regproc, a.agginitval)
          FROM pg_aggregate a WHERE a.aggfnoid = p.oid)
    -- PostgreSQL 14 and newer write IN before the arguments of procedures
    ELSE regexp_replace(pg_get_functiondef(p.oid), '([(]|, )IN ', '\\1', 'g')
    END AS text OFFSET 0) d
WHERE p.oid NOT IN ({OF_EXTENSION.format("pg_proc")})
  AND NOT EXISTS (SELECT FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass
                  AND i.objid = p.oid AND i.deptype = 'i')  -- constructors of a range type
ORDER BY 1, 2
"""

EXTENSIONS: LiteralString = """
SELECT n.nspname AS schema, e.extname AS name, e.extversion AS version
FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname <> 'plpgsql'
ORDER BY 2
"""

COMMENTS: LiteralString = f"""
SELECT c.nspname AS schema, c.relname AS table, a.attname AS name, c.relkind::text AS relkind,
       d.description AS definition
FROM pg_description d
JOIN ({RELATIONS}) c ON c.oid = d.objoid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
WHERE d.classoid = 'pg_class'::regclass
ORDER BY 1, 2, a.attnum NULLS FIRST
"""
