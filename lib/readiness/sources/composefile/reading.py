"""Reading Compose files as Compose does: variables, several files merged, extends and include.

Follows the Compose specification (interpolation, merge, extends, include). The environment of this
process is not asked: a variable has the value that the parameters give it, else its default; one
without either stays in the text as ``${NAME}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ...documents import StrictLoader
from .merging import Override, Reset, merge_models, merge_service, well_formed, without_tags
from .variables import UNRESOLVED, Filled, interpolate

LARGEST_FILE = 1_000_000  # bytes
MOST_NODES = 200_000  # after aliases are followed: a few lines of them can stand for billions
KINDS = ("services", "networks", "volumes", "secrets", "configs", "models", "jobs")


@dataclass
class Project:
    """What the files say together, and everything that Compose would refuse in them."""

    model: dict[str, Any] = field(default_factory=dict)
    documents: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)  # files
    unread: list[str] = field(default_factory=list)  # parts that are kept elsewhere
    variables: dict[str, bool] = field(default_factory=dict)  # name -> has a default

    def refuse(self, file: str, where: str, problem: str) -> None:
        self.problems.append({"file": file, "where": where, "problem": problem})

    def section(self, kind: str) -> dict[str, Any]:
        found = self.model.get(kind)
        return found if isinstance(found, dict) else {}


class _Loader(StrictLoader):
    """YAML with the two tags of Compose."""


def _plain(loader: _Loader, node: yaml.Node) -> Any:
    """The node's value without its tag."""
    if isinstance(node, yaml.MappingNode):
        return loader.construct_object(
            yaml.MappingNode("tag:yaml.org,2002:map", node.value, node.start_mark), deep=True
        )
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    tag = loader.resolve(yaml.ScalarNode, node.value, (True, False))
    return loader.construct_object(yaml.ScalarNode(tag, node.value, node.start_mark))


_Loader.add_constructor("!reset", lambda loader, node: Reset())


def _override(loader: _Loader, node: yaml.Node) -> Override:
    return Override(_plain(loader, node))


_Loader.add_constructor("!override", _override)


def read_project(root: Path, files: list[str], variables: Mapping[str, str]) -> Project:
    """Read ``files`` (below ``root``) as one project, later ones overriding earlier ones."""
    project = Project()
    _Reader(root.resolve(), variables, project).read(files)
    return project


class _Reader:
    def __init__(self, root: Path, variables: Mapping[str, str], project: Project) -> None:
        self.root = root
        self.variables = variables
        self.project = project
        self._read: dict[Path, dict[str, Any]] = {}
        self._including: list[Path] = []

    def read(self, files: list[str]) -> None:
        model = self._merged([self.root / name for name in files])
        self.project.model = {k: v if isinstance(v, dict) else {} for k, v in model.items()}
        services = {
            str(k): well_formed(v) for k, v in self.project.model.get("services", {}).items()
        }
        self.project.model["services"] = {k: v for k, v in services.items() if v is not None}

    def _merged(self, paths: list[Path]) -> dict[str, Any]:
        """Some files merged in their order, with what they include."""
        model: dict[str, Any] = {}
        for path in paths:
            document = self._document(path)
            name = self._name(path)
            clash = lambda where, said, name=name: self.project.refuse(name, where, said)  # noqa: E731
            extended = self._extended(document, model, path)
            model = merge_models(model, extended, clash)
        model = without_tags(model)
        self._including += paths
        includes = model.pop("include", None)
        for include in includes if isinstance(includes, list) else []:
            self._include(include, paths[0], model)
        del self._including[-len(paths) :]
        return model

    def _document(self, path: Path) -> dict[str, Any]:
        """One file, its variables filled in; empty, with the problem noted, when unreadable."""
        if path in self._read:
            return self._read[path]
        name = self._name(path)
        content: dict[str, Any] | None = None
        try:
            content = self._parsed(path)
        except OSError as broke:
            self.project.refuse(name, "", f"cannot be read: {broke.strerror or 'no such file'}")
        except (UnicodeDecodeError, RecursionError, ValueError) as broke:
            said = str(broke) if type(broke) is ValueError else type(broke).__name__
            self.project.refuse(name, "", f"cannot be read: {said}")
        except yaml.YAMLError as broke:
            mark = getattr(broke, "problem_mark", None)
            said = getattr(broke, "problem", None) or str(broke).splitlines()[0]
            self.project.refuse(name, f"line {mark.line + 1}" if mark else "", f"{said}")
        if content is None:
            self.project.unreadable.append(name)
        elif content:
            self.project.documents.append((name, without_tags(content)))
        self._read[path] = content or {}
        return self._read[path]

    def _parsed(self, path: Path) -> dict[str, Any]:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"larger than {LARGEST_FILE:,} bytes")
        model: dict[str, Any] = {}
        for document in yaml.load_all(path.read_text(encoding="utf-8"), Loader=_Loader):
            if document is None:
                continue
            if not isinstance(document, dict):
                raise ValueError("the file must hold a mapping")
            _bounded(document)
            filled = self._fill(document, path, ())
            model = merge_models(model, filled, lambda where, said: None)
        return model

    def _fill(self, value: Any, path: Path, where: tuple[str, ...]) -> Any:
        if isinstance(value, dict):
            return {k: self._fill(v, path, (*where, str(k))) for k, v in value.items()}
        if isinstance(value, list):
            return [self._fill(v, path, (*where, str(n))) for n, v in enumerate(value)]
        if isinstance(value, Override):
            return Override(self._fill(value.value, path, where))
        if not isinstance(value, str) or "$" not in value:
            return value
        try:
            return interpolate(value, self.variables, self.project.variables)
        except ValueError as broke:
            self.project.refuse(self._name(path), ".".join(where), str(broke))
            return Filled(value)

    def _extended(
        self, document: dict[str, Any], before: dict[str, Any], path: Path
    ) -> dict[str, Any]:
        """``document`` with every ``extends`` of its services followed."""
        services = document.get("services")
        if not isinstance(services, dict):
            return document
        earlier = before.get("services")
        known = {**(earlier if isinstance(earlier, dict) else {}), **services}
        done = {
            name: self._service(name, known, path, [(path, name)]) if name in services else None
            for name in services
        }
        return {**document, "services": done}

    def _service(
        self, name: str, services: dict[str, Any], path: Path, chain: list[tuple[Path, str]]
    ) -> Any:
        """One service, merged over the service that it extends, and so on to the root."""
        service = services.get(name)
        if not isinstance(service, dict) or not isinstance(service.get("extends"), dict | str):
            return service
        extends = service["extends"]
        where = f"services.{name}.extends"
        wanted = extends if isinstance(extends, dict) else {"service": extends}
        base_name, base_path, bases = str(wanted.get("service")), path, services
        if file := wanted.get("file"):
            found = self._below(str(file), path, where)
            if found is None:
                return _without(service, "extends")
            base_path = found
            read = self._document(found).get("services")
            bases = read if isinstance(read, dict) else {}
        if base_name not in bases:
            self.project.refuse(self._name(path), where, f"extends {base_name}, which is undefined")
            return _without(service, "extends")
        if (base_path, base_name) in chain:
            self.project.refuse(self._name(path), where, "extends itself in a circle")
            return _without(service, "extends")
        base = self._service(base_name, bases, base_path, [*chain, (base_path, base_name)])
        own = _without(service, "extends")
        return merge_service(base, own) if isinstance(base, dict) else own

    def _include(self, include: Any, path: Path, model: dict[str, Any]) -> None:
        """Add what another project defines; a name that both define is refused, as Compose does."""
        names = include.get("path") if isinstance(include, dict) else include
        names = names if isinstance(names, list) else [names]
        paths = [self._below(str(name), path, "include") for name in names]
        found = [p for p in paths if p]
        if len(found) < len(paths):
            return
        if any(p in self._including for p in found):
            self.project.refuse(self._name(path), "include", "includes itself in a circle")
            return
        other = self._merged(found)
        for kind in KINDS:
            own, theirs = model.setdefault(kind, {}), other.get(kind) or {}
            if not isinstance(own, dict) or not isinstance(theirs, dict):
                continue
            for name, value in theirs.items():
                if name in own and own[name] != value:
                    said = f"{name} is defined here and in {self._name(found[0])}"
                    self.project.refuse(self._name(path), f"{kind}.{name}", said)
                own.setdefault(name, value)

    def _below(self, name: str, beside: Path, where: str) -> Path | None:
        """The file ``name`` refers to; noted when it is elsewhere or not there."""
        if "://" in name or name.startswith("git@") or UNRESOLVED.search(name):
            self.project.unread.append(name if UNRESOLVED.search(name) else _shown(name))
            return None
        try:
            path = (beside.parent / name).resolve()
            if path.is_relative_to(self.root) and path.is_file():
                return path
        except (OSError, ValueError):  # no name that a file can have
            path = beside
        if path.is_relative_to(self.root):
            self.project.refuse(self._name(beside), where, f"{name}: no such file")
        else:
            self.project.unread.append(f"{name} (outside the repository)")
        return None

    def _name(self, path: Path) -> str:
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else path.name


def _bounded(document: Any) -> None:
    """Raise ValueError when the document with its aliases followed is beyond all measure."""
    sizes: dict[int, int] = {}

    def size(value: Any) -> int:
        if isinstance(value, Override):
            return size(value.value)
        if not isinstance(value, dict | list):
            return 1
        if id(value) not in sizes:
            children = value.values() if isinstance(value, dict) else value
            sizes[id(value)] = 1 + sum(size(child) for child in children)
        return sizes[id(value)]

    if size(document) > MOST_NODES:
        raise ValueError(f"aliases unfold to more than {MOST_NODES:,} values")


def _without(service: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in service.items() if k != key}


def _shown(reference: str) -> str:
    """A remote reference without what may stand in it as credentials."""
    return re.sub(r"//[^/@]*@", "//", reference)[:120]
