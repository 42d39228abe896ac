#!/usr/bin/env bash
# Back up the database to a file: DATABASE_URL=... scripts/backup.sh FILE
# The address goes to pg_dump by its environment: a command line can be read by everybody.
set -euo pipefail

: "${DATABASE_URL:?the address of the database to back up}"
file="${1:?usage: DATABASE_URL=... scripts/backup.sh FILE}"

umask 077
partial="$file.partial"
trap 'rm -f "$partial"' EXIT

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
# shellcheck source=scripts/libpq.sh
source "$here/libpq.sh"
libpq_environment "$DATABASE_URL"

pg_dump --format=custom --no-password --file="$partial"
# A table of contents that cannot be read is no backup.
pg_restore --list "$partial" > /dev/null
mv "$partial" "$file"
