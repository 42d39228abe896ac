#!/bin/sh
# restore.sh FILE [FLAW]: as it should be done, or with one flaw.
set -eu
restore() { pg_restore --exit-on-error --no-owner --dbname="$PGDATABASE" "$1"; }
say() { psql --quiet --set ON_ERROR_STOP=1 --command "$1"; }
case "${2:-none}" in
  none) restore "$1" ;;
  gzip) gunzip < "$1" > "$HOME/sql"; psql --quiet --set ON_ERROR_STOP=1 --single-transaction --file="$HOME/sql" > /dev/null ;;
  pipe) gunzip < "$1" | psql --quiet > /dev/null ;;
  shrugs) pg_restore --no-owner --dbname="$PGDATABASE" "$1" 2> /dev/null || true ;;
  drops-rows) restore "$1"; say "DELETE FROM orders WHERE id > 90" ;;
  changes-a-value) restore "$1"; say "UPDATE orders SET note = note || ' ' WHERE id = 7" ;;
  swaps-a-row) restore "$1"; say "DELETE FROM visits WHERE page = 'p7'; INSERT INTO visits SELECT 'p8' FROM generate_series(1, 4)" ;;
  no-constraints) pg_restore --exit-on-error --section=pre-data --section=data --no-owner --dbname="$PGDATABASE" "$1" ;;
  sequence-behind) restore "$1"; say "SELECT setval('orders_id_seq', 1)" > /dev/null ;;
  hangs)
    restore "$1"
    { echo "BEGIN; LOCK TABLE orders;"; sleep 30; } | psql --quiet > /dev/null &
    sleep 0.3
    say "TRUNCATE orders" ;;
esac
