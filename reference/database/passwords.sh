#!/bin/sh
# Give the roles of roles.sql their passwords, from the environment of the postgres container.
set -eu
: "${NPS_APP_DB_PASSWORD:?}" "${NPS_AUDIT_DB_PASSWORD:?}" "${NPS_BACKUP_DB_PASSWORD:?}"
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv app NPS_APP_DB_PASSWORD
\getenv audit NPS_AUDIT_DB_PASSWORD
\getenv backup NPS_BACKUP_DB_PASSWORD
ALTER ROLE nps_app PASSWORD :'app';
ALTER ROLE nps_audit PASSWORD :'audit';
ALTER ROLE nps_backup PASSWORD :'backup';
SQL
