#!/bin/sh
# backup.sh FILE [FLAW]: as it should be done, or with one flaw.
set -eu
case "${2:-none}" in
  none) pg_dump --format=custom --file="$1" ;;
  gzip) pg_dump --no-owner | gzip > "$1" ;;
  own-name) pg_dump --format=custom --file="$1/shop-$(date +%Y%m%d).dump" ;;
  fails) echo "disk on fire" >&2; exit 3 ;;
  empty) : > "$1" ;;
  twenty-bytes) printf 'no backup, 20 bytes.' > "$1" ;;
  cut) pg_dump --format=custom --file="$1.whole"; head -c "$(($(wc -c < "$1.whole") * 3 / 4))" "$1.whole" > "$1" ;;
  table-left-out) pg_dump --format=custom --exclude-table=visits --file="$1" ;;
  schema-only) pg_dump --format=custom --schema-only --file="$1" ;;
  without-sessions) pg_dump --format=custom --exclude-table-data=sessions --file="$1" ;;
esac
