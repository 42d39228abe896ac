-- Who may do what. Loaded after init.sql by the schema's owner with the right to make roles;
-- loading it twice changes nothing. No role has a password here, so none can log in over the
-- network until the deployment gives it one (database/passwords.sh).

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['nps_app', 'nps_audit', 'nps_backup'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', wanted);
        END IF;
    END LOOP;
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- The application: rows, never the schema; and the audit log only grows.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO nps_app;
REVOKE UPDATE, DELETE ON oracle_audit_log FROM nps_app;

-- The audit reads everything and can change nothing.
GRANT pg_read_all_data, pg_read_all_settings, pg_read_all_stats TO nps_audit;
ALTER ROLE nps_audit SET default_transaction_read_only = on;

-- Backups read everything.
GRANT pg_read_all_data TO nps_backup;
