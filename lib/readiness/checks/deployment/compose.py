"""Docker Compose: valid files, the expected services, health, dependency order, exposure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from readiness.check import Criteria, check
from readiness.evidence import Evidence
from readiness.finding import Judgement, Reason, counted, not_measured, verdict_of
from readiness.sources.compose import stack

SPECIFICATION = "https://github.com/compose-spec/compose-spec/blob/main/spec.md"
COMES_BACK = ("always", "unless-stopped", "on-failure", "any")
Record = dict[str, Any]


def _unclear(stack: Evidence, expected: str) -> Judgement | None:
    """Why nothing can be said about the services: their files cannot be read."""
    if unreadable := stack.facts["unreadable"]:
        said = f"{', '.join(unreadable)} cannot be read: see DEP-COMPOSE-VALID"
        return not_measured(Reason.INCONCLUSIVE, expected, said)
    return None


def _elsewhere(stack: Evidence, judged: Judgement) -> Judgement:
    """A verdict without offenders does not stand while parts of the project were not seen."""
    if not stack.facts["elsewhere"] or judged.offenders or judged.reason:
        return judged
    said = f"parts are kept elsewhere and were not seen: {', '.join(stack.facts['elsewhere'])}"
    return not_measured(Reason.INCONCLUSIVE, judged.expected, said, judged.samples)


def _first(offenders: Sequence[dict[str, Any]], most: int = 3) -> str:
    said = [f"{o.get('service') or o.get('where') or o['file']}: {o['problem']}" for o in offenders]
    return "; ".join(said[:most]) + (f"; and {len(said) - most} more" if len(said) > most else "")


@check(
    "DEP-COMPOSE-VALID",
    sources=[stack],
    severity="medium",
    strength="CONFIGURED",
    references=[SPECIFICATION, "https://docs.docker.com/reference/compose-file/merge/"],
)
def valid(stack: Evidence, criteria: Criteria) -> Judgement:
    """Compose files satisfy the Compose specification, merged with their overrides

    Each file is read as Compose reads it (variables, anchors, `!reset`, `extends`, `include`) and
    held against the specification's own JSON schema; then all files together are searched for what
    no schema can see: references to services, networks, volumes, secrets and configs that are not
    defined, circles in the dependencies, services without image or build, ports and durations that
    do not parse.

    Why: a file that Compose refuses is found out on the evening of the deployment; a misspelt key
    in an override is worse where it is silently ignored.
    Bad: `helthcheck:`; `depends_on: [database]` where the service is called `db`; a key twice.
    Remedy: run `docker compose -f … config --quiet` with the same files in the pipeline, and
    correct what is listed.
    """
    problems, files = stack.facts["problems"], stack.facts["files"]
    judged = verdict_of(
        problems,
        samples=len(files),
        expected="nothing in the Compose files that Compose would refuse",
        passed=f"{' + '.join(files)}: {counted(len(stack.records), 'service')}, nothing to refuse",
        failed=f"{counted(len(problems), 'problem')} in {' + '.join(files)}: {_first(problems)}",
    )
    return _elsewhere(stack, judged)


def _placeholder(record: Record) -> str | None:
    """Why a service is nothing but a placeholder."""
    if record["idle"]:
        return "its container only waits or ends at once"
    if record["bare"]:
        return "an empty operating system image without a command"
    return f"{record['stand_in']} stands in for it" if record["stand_in"] else None


@check(
    "DEP-COMPOSE-SERVICES",
    sources=[stack],
    severity="medium",
    strength="CONFIGURED",
    references=[SPECIFICATION],
)
def services(stack: Evidence, criteria: Criteria) -> Judgement:
    """Every expected container is defined, and no placeholder passes for one

    The services of the merged project are compared with the list in the parameters. A service
    whose container only sleeps, an operating system image without a command, or an echo server is
    a placeholder: declared ones (`compose.stubs`) are named, undeclared ones fail. Helpers that
    only a profile starts count when they are on the list.

    Why: a stack counts as complete when all its containers are up, and a container that sleeps is
    always up.
    Bad: a service that is missing; `image: alpine` with `command: sleep infinity` in its place;
    `replicas: 0`.
    Remedy: define the service, or declare the placeholder under target.repository.compose.stubs so
    that it is listed among the known limitations.
    """
    expected, stubs = stack.facts["expected"], stack.facts["stubs"]
    wanted = "every expected service defined, placeholders only where declared"
    if unclear := _unclear(stack, wanted):
        return unclear
    if not expected:
        said = "target.repository.compose.services is not set: which containers must there be?"
        return not_measured(Reason.NO_PARAMETER, wanted, said)
    defined = {record["service"]: record for record in stack.records}
    offenders = [{"service": n, "problem": "not defined"} for n in expected if n not in defined]
    named, with_profile = [], []
    for name, record in defined.items():
        if record["profiles"] and name not in expected:
            continue
        with_profile += [name] if record["profiles"] else []
        if record["replicas"] == 0:
            offenders.append({"service": name, "problem": "has 0 replicas"})
        elif (why := _placeholder(record)) and name not in stubs:
            offenders.append({"service": name, "problem": f"an undeclared placeholder: {why}"})
        elif why:
            named.append(name)
    notes = [f"placeholder, as declared: {', '.join(named)}"] if named else []
    notes += [f"started by a profile only: {', '.join(with_profile)}"] if with_profile else []
    found = sum(name in defined for name in expected)
    judged = verdict_of(
        offenders,
        samples=len(expected),
        expected=wanted,
        passed="; ".join([f"{found} of {len(expected)} expected services are defined", *notes]),
        failed=f"{found} of {len(expected)} expected are defined; {_first(offenders)}",
    )
    return _elsewhere(stack, judged)


class Health(Criteria):
    own_healthcheck: list[str] = []  # images, with *, that are known to bring a health check


@check(
    "DEP-COMPOSE-HEALTH",
    sources=[stack],
    severity="medium",
    strength="CONFIGURED",
    criteria=Health,
    references=[
        "https://docs.docker.com/compose/how-tos/startup-order/",
        "https://docs.docker.com/reference/compose-file/services/#healthcheck",
    ],
)
def health(stack: Evidence, criteria: Health) -> Judgement:
    """Every service has a health check and a restart policy, and waits for healthy dependencies

    For each service: a health check, in the Compose file or in the Dockerfile it is built from,
    that is able to fail; a restart policy; and for each dependency the condition
    `service_healthy`. A job that others wait for with `service_completed_successfully` needs
    neither. Declared placeholders, and helpers that only a profile starts, are left out. A health
    check inside a foreign image cannot be seen from here: name the image in the criteria.

    Why: without a health check a hung container counts as up; without a restart policy a crash at
    night lasts until morning; a service that starts before its database is ready fails on some
    starts and not on others.
    Bad: no `healthcheck`; `test: exit 0`, `curl … || true`; `restart: "no"`; `depends_on: [db]`,
    which waits only until the container is started.
    Remedy: give the service a check that asks what its users ask (`pg_isready`, an HTTP request
    that fails on 5xx), `restart: unless-stopped`, and `depends_on: {db: {condition:
    service_healthy}}`.
    """
    expected = "a health check that can fail, a restart policy, and waiting until healthy"
    if unclear := _unclear(stack, expected):
        return unclear
    judged_services = [
        r
        for r in stack.records
        if r["container"]
        and not r["declared_stub"]
        and (not r["profiles"] or r["service"] in stack.facts["expected"])
    ]
    finishing = {r["service"] for r in stack.records if r["finishes"]}
    offenders: list[dict[str, Any]] = []
    undecided = []
    for record in judged_services:
        problems = [] if record["finishes"] else _health_problems(record, criteria)
        if "$" in (record["restart"] or ""):
            undecided.append(f"restart of {record['service']}")
        elif not record["finishes"] and not _comes_back(record["restart"]):
            problems.append(f"restart policy is {record['restart'] or 'missing'}")
        for needed in record["waits_for"]:
            name, condition = needed["service"], needed["condition"]
            if name in stack.facts["stubs"] or name in finishing or condition == "service_healthy":
                continue
            if condition != "service_completed_successfully":
                problems.append(f"waits for {name} only until it is started")
        offenders += [{"service": record["service"], "problem": p} for p in problems]
    left_out = [r["service"] for r in stack.records if r not in judged_services]
    note = f"; left out: {', '.join(left_out)}" if left_out else ""
    unhealthy = len({o["service"] for o in offenders})
    judged = verdict_of(
        offenders,
        samples=len(judged_services),
        expected=expected,
        passed=f"sound for {counted(len(judged_services), 'service')}{note}",
        failed=f"{counted(len(offenders), 'gap')} in {unhealthy} of "
        f"{counted(len(judged_services), 'service')}: {_first(offenders)}",
    )
    if undecided and not offenders:
        said = f"a variable without a value decides: {', '.join(undecided)}"
        return not_measured(Reason.INCONCLUSIVE, expected, said, len(judged_services))
    return _elsewhere(stack, judged)


def _health_problems(record: Record, criteria: Health) -> list[str]:
    image = str(record["image"] or record["base"] or "")
    if record["health"] == "switched off":
        return ["health check switched off"]
    if record["health"] is None:
        if any(fnmatchcase(image, pattern) for pattern in criteria.own_healthcheck):
            return []
        return ["no health check" if record["built"] else "no health check in the files"]
    return [] if record["health_can_fail"] else ["a health check that cannot fail"]


def _comes_back(restart: str | None) -> bool:
    return (restart or "").split(":")[0] in COMES_BACK


@check(
    "DEP-COMPOSE-EXPOSURE",
    sources=[stack],
    severity="medium",
    strength="CONFIGURED",
    references=[
        "CWE-668",
        "CIS Docker Benchmark 5.14",
        "https://docs.docker.com/engine/network/port-publishing/",
    ],
)
def exposure(stack: Evidence, criteria: Criteria) -> Judgement:
    """Data stores publish no port beyond loopback

    Databases, caches, brokers and search engines are recognised by their image, by the base of the
    Dockerfile, by the port they publish, or by declaration. Their published ports, with all
    overrides merged, must be bound to 127.0.0.1 or ::1, and they must not share the host's
    network.

    Why: Docker opens a published port past the host's firewall rules. A database reachable from
    outside is found by scanners within hours, and then only its password stands.
    Bad: `5432:5432` (all addresses of the host); `"6379"` (a random port, on all addresses);
    `network_mode: host`; an override for development that is part of the deployed files.
    Remedy: leave `ports` out (services reach each other by name), or bind to loopback:
    `127.0.0.1:5432:5432`; in an override, `ports: !reset []`.
    """
    expected = "no data store reachable from outside the host"
    if unclear := _unclear(stack, expected):
        return unclear
    stores = [record for record in stack.records if record["store"]]
    offenders: list[dict[str, Any]] = []
    undecided = []
    for record in stores:
        name = record["service"]
        if record["network_mode"] == "host":
            offenders.append({"service": name, "problem": "shares the host's network"})
        for port in record["ports"]:
            if port["beyond_loopback"]:
                offenders.append({"service": name, "problem": f"publishes {port['port']}"})
            elif port["undecided"]:
                undecided.append(f"{name}: {port['port']}")
    judged = verdict_of(
        offenders,
        samples=len(stores),
        expected=expected,
        passed=f"{', '.join(r['service'] for r in stores)}: nothing published beyond loopback",
        failed=f"{counted(len(offenders), 'open door')} at "
        f"{counted(len(stores), 'data store')}: {_first(offenders)}",
    )
    unknown = [n for n in stack.facts["stores"] if n not in {r["service"] for r in stack.records}]
    if offenders:
        return judged
    if undecided or unknown:
        gaps = [f"a variable without a value decides: {', '.join(undecided)}"] if undecided else []
        gaps += [f"declared as a store but not defined: {', '.join(unknown)}"] if unknown else []
        return not_measured(Reason.INCONCLUSIVE, expected, "; ".join(gaps), len(stores))
    if not stores:
        said = (
            f"{counted(len(stack.records), 'service')} and no data store recognised: name them "
            "under target.repository.compose.stores"
        )
        return not_measured(Reason.NO_SAMPLES, expected, said)
    return _elsewhere(stack, judged)
