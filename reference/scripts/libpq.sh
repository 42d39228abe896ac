# Sourced: turn a postgresql:// address into libpq's variables, so that it stands in no argument.

libpq_environment() {
  local assignment
  while IFS= read -r -d '' assignment; do
    export "${assignment?}"
  done < <(LIBPQ_URL="$1" python3 - <<'PYTHON'
import os
from urllib.parse import parse_qs, unquote, urlsplit

url = urlsplit(os.environ["LIBPQ_URL"])
query = {name: values[-1] for name, values in parse_qs(url.query).items()}
variables = {
    "PGHOST": query.get("host") or unquote(url.hostname or ""),
    "PGPORT": query.get("port") or str(url.port or ""),
    "PGUSER": unquote(url.username or "") or query.get("user"),
    "PGPASSWORD": unquote(url.password or "") or query.get("password"),
    "PGDATABASE": unquote(url.path.lstrip("/")) or query.get("dbname"),
    "PGSSLMODE": query.get("sslmode"),
}
print("".join(f"{name}={value}\0" for name, value in variables.items() if value), end="")
PYTHON
  )
}
