#!/usr/bin/env bash
# Restore a backup into an empty database: RESTORE_DATABASE_URL=... scripts/restore.sh FILE
# All or nothing: the first error ends it and leaves the database as it was.
set -euo pipefail

: "${RESTORE_DATABASE_URL:?the address of the database to restore into}"
file="${1:?usage: RESTORE_DATABASE_URL=... scripts/restore.sh FILE}"

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=scripts/libpq.sh
source "$here/libpq.sh"
libpq_environment "$RESTORE_DATABASE_URL"

pg_restore --exit-on-error --single-transaction --no-owner --no-privileges --no-password \
  --dbname="$PGDATABASE" "$file"
