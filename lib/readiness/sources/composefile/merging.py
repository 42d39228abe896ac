"""Merging Compose files by the rules of the Compose specification.

Mappings merge key by key, sequences append, ``command``, ``entrypoint`` and a health check's
``test`` are replaced, ports and mounts are unique by where they end, ``!reset`` removes and
``!override`` replaces. What can be written short is brought into its long form where the two
forms meet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .ports import parse_port

Where = tuple[str, ...]
Clash = Callable[[str, str], None]  # where, what Compose would say
REPLACED = {("command",), ("entrypoint",), ("healthcheck", "test")}
# Lists of NAME=value that may also be mappings; unique by name.
NAMED = {
    ("environment",), ("labels",), ("annotations",), ("sysctls",), ("extra_hosts",),
    ("build", "args"), ("build", "labels"), ("build", "additional_contexts"),
    ("build", "extra_hosts"), ("deploy", "labels"),
}  # fmt: skip
MOUNTS = {("volumes",), ("secrets",), ("configs",)}


# What a service's attribute must be for it to mean anything; the schema tells what is not.
FORMS: dict[str, tuple[type, ...]] = {
    "image": (str,), "network_mode": (str,), "container_name": (str,), "ipc": (str,),
    "pid": (str,), "restart": (str, int), "build": (str, dict), "healthcheck": (dict,),
    "deploy": (dict,), "depends_on": (list, dict), "networks": (list, dict),
    "models": (list, dict), "command": (str, list), "entrypoint": (str, list), "ports": (list,),
    "volumes": (list,), "secrets": (list,), "configs": (list,), "links": (list,),
    "volumes_from": (list,), "profiles": (list,), "scale": (int, str),
}  # fmt: skip


class Reset:
    """``!reset``: what earlier files say here is removed."""


@dataclass
class Override:
    """``!override``: what earlier files say here is replaced."""

    value: Any


def merge_models(base: dict[str, Any], over: dict[str, Any], clash: Clash) -> dict[str, Any]:
    """Two files as one; ``clash`` is told where their shapes cannot be reconciled."""
    merged = dict(base)
    for key, value in over.items():
        if key == "services" and isinstance(value, dict) and isinstance(base.get(key), dict):
            services = dict(base[key])
            for name, service in value.items():
                services[name] = _merge(services.get(name), service, (), _under(clash, name))
            merged[key] = services
        else:
            merged[key] = _merge(base.get(key), value, ("", key), clash)
    return merged


def merge_service(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """One service over another, as ``extends`` does it."""
    merged = _merge(base, over, (), lambda where, said: None)
    return merged if isinstance(merged, dict) else over


def without_tags(value: Any) -> Any:
    """``value`` after ``!reset`` and ``!override`` did their work."""
    if isinstance(value, Override):
        return without_tags(value.value)
    if isinstance(value, dict):
        return {k: without_tags(v) for k, v in value.items() if not isinstance(v, Reset)}
    if isinstance(value, list):
        return [without_tags(v) for v in value if not isinstance(v, Reset)]
    return value


def well_formed(service: Any) -> dict[str, Any] | None:
    """A service without the attributes that are of a form they must not have."""
    if not isinstance(service, dict):
        return None
    return {
        str(key): value
        for key, value in service.items()
        if value is None or isinstance(value, FORMS.get(str(key), (object,)))
    }


def _under(clash: Clash, name: str) -> Clash:
    return lambda where, said: clash(".".join(filter(None, ("services", name, where))), said)


def _merge(base: Any, over: Any, where: Where, clash: Clash) -> Any:
    """``over`` laid over ``base``; ``where`` is the path below a service ("" leads elsewhere)."""
    if isinstance(over, Reset | Override) or base is None or isinstance(base, Reset):
        return over
    if isinstance(base, Override):
        return Override(_merge(base.value, over, where, clash))
    if where in REPLACED or (where and where[-1].startswith("x-")):
        return over
    if over is None:
        return base if isinstance(base, dict | list) else None
    base, over = _same_form(base, over, where)
    if isinstance(base, dict) and isinstance(over, dict):
        if where == ("logging",) and _differ(base.get("driver"), over.get("driver")):
            return over
        merged = dict(base)
        for key, value in over.items():
            merged[key] = _merge(base.get(key), value, (*where, str(key)), clash)
        return merged
    if isinstance(base, list) and isinstance(over, list):
        return _appended(base, over, where)
    if isinstance(base, dict | list) or isinstance(over, dict | list):
        clash(".".join(filter(None, where)), f"{_form(over)} cannot override {_form(base)}")
    return over


def _same_form(base: Any, over: Any, where: Where) -> tuple[Any, Any]:
    """Both sides in one form, the long one, where they are written in different ones."""
    if type(base) is type(over) and where not in NAMED and where[-1:] != ("depends_on",):
        return base, over
    return _long(base, where), _long(over, where)


def _long(value: Any, where: Where) -> Any:
    if where == ("build",) and isinstance(value, str):
        return {"context": value}
    if where == ("extends",) and isinstance(value, str):
        return {"service": value}
    if where in NAMED and isinstance(value, list):
        return dict(_name_and_value(entry) for entry in value)
    if where == ("depends_on",) and isinstance(value, list):
        return {str(name): {"condition": "service_started"} for name in value}
    if where in {("networks",), ("models",)} and isinstance(value, list):
        return {str(name): None for name in value}
    if isinstance(value, str) and where in {("env_file",), ("dns",), ("dns_search",), ("tmpfs",)}:
        return [value]
    return value


def _name_and_value(entry: Any) -> tuple[str, str | None]:
    name, separator, value = str(entry).partition("=")
    return name, value if separator else None


def _appended(base: list[Any], over: list[Any], where: Where) -> list[Any]:
    kept: dict[str, Any] = {}
    for entry in [*base, *over]:
        kept[_identity(entry, where)] = entry
    return list(kept.values())


def _identity(entry: Any, where: Where) -> str:
    """What an entry of a list is unique by."""
    if where == ("ports",):
        try:
            port = parse_port(entry)
        except ValueError:
            return repr(entry)
        return repr((port.host_ip or "0.0.0.0", port.published, port.target, port.protocol))
    if where in MOUNTS:
        if isinstance(entry, dict):
            return str(entry.get("target") or entry.get("source"))
        parts = str(entry).split(":")
        return parts[1] if where == ("volumes",) and len(parts) > 1 else parts[0]
    return repr(entry)


def _differ(one: Any, other: Any) -> bool:
    return one is not None and other is not None and one != other


def _form(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return "a single value"
