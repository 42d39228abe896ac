"""The Compose project of the repository: its services, merged from all files."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..evidence import Collected, Evidence, source
from ..finding import NotMeasured, Reason
from ..target import Compose, Target, need
from .composefile.dockerfile import Stage, final_stage
from .composefile.ports import Port, parse_port
from .composefile.reading import read_project
from .composefile.recognise import BARE, STAND_INS, name_of, store_of
from .composefile.rules import SCHEMA_VERSION, refuse_what_compose_would, waits_for
from .composefile.variables import UNRESOLVED
from .shell import cannot_fail, commands, idles, text_of

BY_DEFAULT = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
LARGEST_DOCKERFILE = 200_000  # bytes
CONDITIONS = {
    "service_healthy": "until healthy",
    "service_completed_successfully": "until finished",
    "service_started": "until started",
}


@source("passive")
def stack(target: Target) -> Collected:
    """One row for each service: image, health check, restart, dependencies, ports.

    What Compose would refuse in the files stands in ``facts.problems``. Environment values and
    commands, which may hold secrets, stay out of the evidence.
    """
    repository = need(target.repository, "target.repository")
    root = repository.folder
    given = repository.compose or Compose()
    files = _files(root, given)
    project = read_project(root, files, given.variables)
    refuse_what_compose_would(project)
    finished = {
        needed["service"]
        for service in project.section("services").values()
        for needed in waits_for(service)
        if needed["condition"] == "service_completed_successfully"
    }
    records = [
        _service(name, service, root, files[0], name in finished)
        for name, service in project.section("services").items()
    ]
    for record in records:
        record["store"] = record["store"] or (
            "declared" if record["service"] in given.stores else None
        )
        record["declared_stub"] = record["service"] in given.stubs
    facts = {
        "files": files,
        "problems": project.problems,
        "unreadable": project.unreadable,
        "elsewhere": project.unread,
        "expected": given.services,
        "stubs": given.stubs,
        "stores": given.stores,
        "variables_without_value": sorted(
            name
            for name, has_default in project.variables.items()
            if not has_default and name not in given.variables
        ),
        "schema": SCHEMA_VERSION,
    }
    return Collected(records, facts, {"jsonschema": version("jsonschema")})


def _files(root: Path, given: Compose) -> list[str]:
    """The files of the project; raises NotMeasured when one is not there."""
    if not root.is_dir():
        raise NotMeasured(Reason.UNREACHABLE, "target.repository.path is not a folder")
    if given.files:
        if missing := [name for name in given.files if not (root / name).is_file()]:
            raise NotMeasured(
                Reason.UNREACHABLE,
                f"not in the repository: {', '.join(missing)}; see target.repository.compose.files",
            )
        return given.files
    for name in BY_DEFAULT:
        if (root / name).is_file():
            stem, _, ending = name.rpartition(".")
            return [name, *_there(root, [f"{stem}.override.{e}" for e in (ending, "yml", "yaml")])]
    raise NotMeasured(
        Reason.NO_SAMPLES,
        "there is no Compose file at the top of the repository: name the files under "
        "target.repository.compose.files, or say under not_applicable why there is none",
    )


def _there(root: Path, names: list[str]) -> list[str]:
    return [name for name in names if (root / name).is_file()][:1]


def _service(
    name: str, service: dict[str, Any], root: Path, file: str, finishes: bool
) -> dict[str, Any]:
    image = str(service.get("image") or "")
    built = service.get("build")
    stage = _stage(built, (root / file).parent, root)
    ports = _ports(service)
    entry = text_of(service["entrypoint"]) if "entrypoint" in service else stage.entrypoint
    inherited = "" if "entrypoint" in service else stage.command
    command = text_of(service["command"]) if "command" in service else inherited
    # What is called docker-entrypoint.sh and the like ends in running its arguments.
    runs = re.sub(r"^\S*entrypoint(\.sh)?\s+", "", f"{entry} {command}".strip())
    images = [text for text in ((stage.base,) if built else (image,)) if text]
    health, program, can_fail = _health(service.get("healthcheck"), stage)
    return {
        "service": name,
        "image": image or None,
        "built": bool(built),
        "container": "provider" not in service,  # else something that Compose only calls
        "base": stage.base or None,
        "idle": idles(runs),
        "bare": not runs and any(name_of(i) in BARE for i in images),
        "stand_in": next((i for i in images if name_of(i) in STAND_INS), None),
        "profiles": [str(profile) for profile in service.get("profiles") or []],
        "replicas": _replicas(service),
        "health": health,
        "health_program": program,
        "health_can_fail": can_fail,
        "restart": _restart(service),
        "waits_for": waits_for(service),
        "finishes": finishes,
        "network_mode": service.get("network_mode"),
        "ports": [
            {
                "port": str(port),
                "beyond_loopback": port.beyond_loopback and not port.undecided,
                "undecided": port.undecided,
            }
            for port in ports
        ],
        "store": store_of([*images, image] if image else images, ports),
    }


def _stage(built: Any, folder: Path, root: Path) -> Stage:
    """What the Dockerfile of a built service ends in; empty when it cannot be read."""
    given = built if isinstance(built, dict) else {"context": built}
    context, inline = str(given.get("context") or "."), given.get("dockerfile_inline")
    wanted = given.get("target") if isinstance(given.get("target"), str) else None
    if not built:
        return Stage()
    if isinstance(inline, str):
        return final_stage(inline, wanted)
    try:
        path = (folder / context / str(given.get("dockerfile") or "Dockerfile")).resolve()
        if not path.is_relative_to(root.resolve()) or path.stat().st_size > LARGEST_DOCKERFILE:
            return Stage()
        return final_stage(path.read_text(encoding="utf-8"), wanted)
    except (OSError, ValueError):  # not there, not text, or no name that a file can have
        return Stage()


def _ports(service: dict[str, Any]) -> list[Port]:
    found = []
    for entry in service.get("ports") or []:
        try:
            found.append(parse_port(entry))
        except ValueError:
            continue  # refused by the rules, where it is told
    return found


def _health(given: Any, stage: Stage) -> tuple[str | None, str | None, bool | None]:
    """Where the health check is defined, its first program, and whether it can ever fail."""
    given = given or {}
    test = given.get("test")
    words = test if isinstance(test, list) else [test]
    if str(given.get("disable")).lower() == "true" or words[:1] == ["NONE"]:
        return "switched off", None, None
    if test:
        listed = isinstance(test, list)
        in_shell = listed and words[0] == "CMD-SHELL"
        text = text_of(" ".join(map(str, words[1:])) if in_shell else words[1:] if listed else test)
        return "compose", _program(text), not cannot_fail(text)
    if stage.health is None:
        return None, None, None
    if not stage.health:
        return "switched off", None, None
    return "Dockerfile", _program(stage.health), not cannot_fail(stage.health)


def _program(text: str) -> str | None:
    found = commands(text)
    return found[0].program if found else None


def _restart(service: dict[str, Any]) -> str | None:
    if service.get("restart"):
        return str(service["restart"])
    deploy = service.get("deploy")
    policy = deploy.get("restart_policy") if isinstance(deploy, dict) else None
    return str(policy.get("condition") or "any") if isinstance(policy, dict) else None


def _replicas(service: dict[str, Any]) -> int | None:
    deploy = service.get("deploy")
    given = service.get("scale", deploy.get("replicas") if isinstance(deploy, dict) else None)
    text = str(given)
    return int(text) if text.isdigit() and not UNRESOLVED.search(text) else None


def services_table(stack: Evidence) -> Any:
    """A data frame: one row a service, as an auditor would ask about it."""
    import pandas as pd

    rows = []
    for record in stack.records:
        health = {"compose": record["health_program"], None: "none"}.get(
            record["health"], record["health"]
        )
        rows.append(
            {
                "service": record["service"],
                "image": record["image"] or "—",
                "built from": record["base"] or ("yes" if record["built"] else "—"),
                "health check": health or "—",
                "restart": record["restart"] or "none",
                "waits for": ", ".join(n["service"] for n in record["waits_for"]) or "—",
                "published ports": ", ".join(p["port"] for p in record["ports"]) or "—",
                "data store": record["store"] or "—",
            }
        )
    columns = ["service", "image", "built from", "health check", "restart", "waits for"]
    return pd.DataFrame(rows, columns=[*columns, "published ports", "data store"])


def problems_table(stack: Evidence) -> Any:
    """A data frame: what Compose would refuse, file by file."""
    import pandas as pd

    return pd.DataFrame(stack.facts.get("problems", []), columns=["file", "where", "problem"])


def ports_table(stack: Evidence) -> Any:
    """A data frame: one row a published port, and who can reach it."""
    import pandas as pd

    rows = [
        {
            "service": record["service"],
            "data store": record["store"] or "—",
            "port (host:container)": port["port"],
            "reached from": "decided by a variable"
            if port["undecided"]
            else "every address of the host"
            if port["beyond_loopback"]
            else "this host only",
        }
        for record in stack.records
        for port in record["ports"]
    ]
    columns = ["service", "data store", "port (host:container)", "reached from"]
    return pd.DataFrame(rows, columns=columns)


def dependency_figure(stack: Evidence) -> Any:
    """Who waits for whom, and for what: one point for each dependency; None without any."""
    import plotly.graph_objects as go

    from ..report.look import TONES

    looks = {
        "service_healthy": ("circle", TONES["good"]),
        "service_completed_successfully": ("triangle-up", TONES["unknown"]),
        "service_started": ("square", TONES["bad"]),
    }
    figure = go.Figure()
    for condition, name in CONDITIONS.items():
        pairs = [
            (needed["service"], record["service"])
            for record in stack.records
            for needed in record["waits_for"]
            if needed["condition"] == condition
        ]
        if pairs:
            symbol, colour = looks[condition]
            marker = {"symbol": symbol, "color": colour, "size": 13}
            xs, ys = zip(*pairs, strict=True)
            figure.add_trace(go.Scatter(x=xs, y=ys, mode="markers", name=name, marker=marker))
    if not figure.data:
        return None
    figure.update_layout(
        xaxis_title="is waited for",
        yaxis_title="service that waits",
        showlegend=True,
        height=140 + 34 * max(2, len({r["service"] for r in stack.records})),
    )
    return figure
