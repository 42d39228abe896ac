"""What a generator is told to do, as plain values: it travels to other processes and hosts."""

from __future__ import annotations

from typing import Any

from ...finding import NotMeasured, Reason
from ...target import Http, Load
from ..client import Client, excluded

# Why an answer is no answer to the question, in the order of their numbers in the samples.
PROBLEMS = (
    "",
    "timeout",
    "connection",
    "server error",
    "rate limit",
    "other status",
    "other content",
    "too large",
)
OWN_FAULT = ("timeout", "connection", "server error")  # the service's; the rest may be ours


def requests_of(client: Client, http: Http, load: Load) -> list[dict[str, Any]]:
    """The scenario's requests, with the credentials of each role that sends them.

    Raises NotMeasured for an operation that may not be sent, before anything is.
    """
    made = []
    for wanted in load.scenario:
        for operation in filter(None, (wanted.operation, wanted.remove)):
            if excluded(operation.split("?", 1)[0], http.never_call):
                raise NotMeasured(Reason.NOT_PERMITTED, f"{operation} is under never_call")
        roles = wanted.as_roles or ([wanted.as_role] if wanted.as_role else [])
        own = {name: value.value() for name, value in wanted.headers.items()}
        method, path = wanted.operation.split(" ", 1)
        made.append(
            {
                "method": method,
                "path": path,
                "category": wanted.category,
                "weight": wanted.weight,
                "headers": [{**own, **client.credentials(role)} for role in roles] or [own],
                "json": wanted.json_body,
                "form": wanted.form,
                "status": wanted.status,
                "contains": wanted.contains,
                "remove": wanted.remove,
                "id_field": wanted.id_field,
            }
        )
    return made


def plan(
    http: Http, load: Load, requests: list[dict[str, Any]], phases: list[dict[str, Any]]
) -> dict[str, Any]:
    """The whole task of a generator; a phase is ``{users, spawn_per_s, warm_up_s, seconds}``."""
    return {
        "base_url": http.base_url.value().rstrip("/"),
        "ca_file": http.ca_file.value() if http.ca_file else None,
        "timeout_s": http.timeout_s,
        "max_body_bytes": http.max_body_bytes,
        "requests": requests,
        "phases": phases,
        "think_s": load.think_s,
        "pace_s": load.pace_s,
        "processes": load.processes,
        "listen": load.listen,
        "hosts": load.hosts,
        "stop_at_error_rate": load.stop_at_error_rate,
        "max_requests": load.max_requests,
    }
