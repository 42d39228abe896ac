"""Signs by which an answer gives away what is behind it: versions, traces, queries, open doors."""

from __future__ import annotations

import re

FINGERPRINTS = [
    "x-powered-by",
    "x-aspnet-version",
    "x-aspnetmvc-version",
    "x-generator",
    "x-runtime",
    "x-drupal-cache",
    "x-debug-token",
    "x-debug-token-link",
    "x-php-version",
    "liferay-portal",
    "x-owa-version",
    "microsoftsharepointteamservices",
    "x-jenkins",
    "x-envoy-upstream-service-time",
]
VERSION = re.compile(r"\d+(\.\d+)+")
SQL = (
    r"SELECT\s.{1,400}?\sFROM\s|INSERT\s+INTO\s.{1,200}?\s(VALUES|SELECT)\b|UPDATE\s+\w.{0,200}?"
    r"\sSET\s.{1,200}?=|DELETE\s+FROM\s+\w+"
)
TRACES = {
    "Python traceback": r"Traceback \(most recent call last\)|File \"[^\"]+\.py\", line \d+",
    "Java stack trace": (
        r"\bat [\w.$]+\([\w]+\.(java|kt|scala):\d+\)|java\.lang\.\w+(Exception|Error)"
    ),
    "JavaScript stack trace": r"\bat .{0,120}\(?(/|file:|node:)[^\s)]{1,200}\.[cm]?[jt]s:\d+:\d+",
    ".NET stack trace": r"\bat [\w.<>`]+\(.{0,200}\) in .{1,200}:line \d+|System\.\w+Exception:",
    "PHP error": r"(Fatal|Parse) error: .{1,300} in (<b>)?/\S+\.php|Stack trace:\s*#0",
    "Ruby stack trace": r"[\w/.-]+\.rb:\d+:in [`']",
    "Go panic": r"goroutine \d+ \[running\]|runtime error: \w",
    "Rust panic": r"thread '.{1,80}' panicked at",
    "debugger": r"Werkzeug Debugger|__debugger__|DEBUG = True|Symfony Exception|Whoops\\Exception",
    "SQL": rf"(?is){SQL}",
    "database error": (
        r"SQLSTATE\[|psycopg2?\.|sqlalchemy\.exc|asyncpg\.exceptions|syntax error at or near|"
        r"You have an error in your SQL syntax|ORA-\d{5}|SQLite3?::|sqlite3\.\w+Error|"
        r"unrecognized token:|Unclosed quotation mark after|com\.mysql\.|"
        r"pg_query\(\)|MongoServerError"
    ),
    "path on the server": (
        r"(?<![\w/.])/(home|usr/(local|lib)|var/www|opt|srv|root|app)/[\w./-]+\.\w{2,4}\b"
    ),
}
_TRACES = {name: re.compile(pattern) for name, pattern in TRACES.items()}
# Paths that should answer nobody, with what their answer holds when they do.
DOORS = {
    "/.env": r"(?m)^[A-Z][A-Z0-9_]{2,}=",
    "/.git/HEAD": r"^(ref: refs/|[0-9a-f]{40})",
    "/.git/config": r"\[core\]",
    "/actuator/env": r"propertySources",
    "/actuator": r"\"_links\"",
    "/server-status": r"Apache Server Status",
    "/debug/pprof/": r"/debug/pprof|goroutine",
    "/debug/vars": r"\"memstats\"",
    "/phpinfo.php": r"phpinfo\(\)|PHP Version",
    "/console": r"Interactive Console|__debugger__|H2 Console",
    "/_profiler": r"Symfony Profiler",
    "/__debug__/": r"djdt|Django Debug",
    "/elmah.axd": r"Error Log for",
    "/trace.axd": r"Application Trace",
    "/metrics/debug": r"goroutine",
    "/docker-compose.yml": r"(?m)^services:",
    "/backup.sql": r"(CREATE TABLE|INSERT INTO)",
}
DOCUMENTATION = [
    "/docs",
    "/redoc",
    "/swagger",
    "/swagger-ui",
    "/swagger-ui/index.html",
    "/swagger/index.html",
    "/api/docs",
    "/api/swagger",
    "/api-docs",
    "/v1/docs",
    "/apidocs",
    "/openapi/ui",
    "/rapidoc",
    "/scalar",
    "/graphiql",
    "/playground",
]
_DOCUMENTATION = re.compile(
    r"swagger-ui|redoc(\.standalone|-container|>)|<redoc|rapi-doc|api-reference|graphiql|"
    r"GraphQL Playground|stoplight",
    re.I,
)


def in_headers(headers: list[tuple[str, str]]) -> list[str]:
    """What header of an answer names a product's version or a framework."""
    found = []
    for name, value in headers:
        if name in FINGERPRINTS or (name in ("server", "via") and VERSION.search(value)):
            found.append(f"{name}: {value[:80]}")
    return found


def in_body(text: str) -> list[str]:
    """The kinds of inner detail that a body shows."""
    return [name for name, pattern in _TRACES.items() if pattern.search(text)]


def is_open_door(path: str, text: str) -> bool:
    return re.search(DOORS[path], text) is not None


def is_documentation(text: str) -> bool:
    """Whether a page is interactive documentation of an API."""
    return _DOCUMENTATION.search(text) is not None
