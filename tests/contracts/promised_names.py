"""Every name that others rely on, as text: `python -m tests.contracts.promised_names` writes it to `promised/`."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import MagicMock

import click
import typer
from prometheus_client import REGISTRY

from trunkline.cli.main import _app
from trunkline.clock import FixedClock
from trunkline.errors import Refused
from trunkline.eventstore.recorded_event import stored_name
from trunkline.http.app import create_app
from trunkline.operations.routes import operate_router
from trunkline.service_definition import ServiceDefinition, installed_services
from trunkline.settings import Settings

FOLDER = Path(__file__).parent / "promised"
PACKAGES = ("trunkline", "trunkline_licensing", "trunkline_numbers")
_OWN = ("trunkline_", "process_resident")


def promised() -> dict[str, str]:
    """File name -> what it holds, one name a line."""
    import_everything()
    services = installed_services().values()
    found = {
        "refusals.txt": _lines(_refusals()),
        "events.txt": _lines(line for service in services for line in _events(service)),
        "loops.txt": _lines(line for service in services for line in _loops(service)),
        "commands.txt": _lines(_commands(typer.main.get_command(_app()), "trunkline")),
        "metrics.txt": _lines(_metrics()),
        "settings.txt": _lines(_settings()),
        "entry_points.txt": _lines(_entry_points()),
    }
    return found | {f"openapi-{service.name}.json": _openapi(service) for service in services}


def _lines(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in sorted(set(lines)))


def import_everything() -> None:
    """Import every module of the product, so that what it registers is known."""
    for name in PACKAGES:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)


def _subclasses(kind: type) -> Iterator[type]:
    for each in kind.__subclasses__():
        yield each
        yield from _subclasses(each)


def _refusals() -> Iterator[str]:
    """Code, status and message."""
    for kind in _subclasses(Refused):
        if kind.__module__.startswith(PACKAGES):
            found: Any = kind
            yield f"{found.code} | {found.status} | {(kind.__doc__ or '').strip().splitlines()[0]}"


def _events(service: ServiceDefinition) -> Iterator[str]:
    for decider in service.deciders:
        yield f"{service.name} | stream | {decider.category}"
        for event in decider.events:
            names = [field.name for field in fields(event)] if hasattr(event, "__dataclass_fields__") else []
            names = names or list(getattr(event, "__struct_encode_fields__", ()))
            yield f"{service.name} | stored | {stored_name(event)} | {', '.join(names)}"
    for contract in service.publishes:
        yield f"{service.name} | published | {contract.topic} | {contract.name} v{contract.version}"
    for handler in service.message_handlers:
        for topic, contracts in handler.topics.items():
            yield from (f"{service.name} | consumed | {topic} | {kind}" for kind in contracts)


def _loops(service: ServiceDefinition) -> Iterator[str]:
    """What names rows of positions, locks and projections are kept under."""
    for view in service.views:
        yield f"{service.name} | projection | {view.name} | version {view.version} | {' '.join(view.ddl.split())}"
    yield from (f"{service.name} | task | {name}" for name in service.followers)
    yield from (f"{service.name} | position | {name}" for name in service.subscribers)
    yield from (f"{service.name} | state topic | {state.contract.topic} | {state.view}" for state in service.states)
    yield from (f"{service.name} | migration | {step.name} | {step.checksum}" for step in service.migrations)
    yield from (f"{service.name} | repair | {name}" for name in service.repairs)


def _commands(command: click.Command, path: str) -> Iterator[str]:
    yield f"{path} | {(command.help or '').strip().splitlines()[0] if command.help else ''}"
    for parameter in command.params:
        required = " | required" if parameter.required else ""
        yield f"{path} | {'/'.join([*parameter.opts, *parameter.secondary_opts])}{required}"
    if isinstance(command, click.Group) or hasattr(command, "commands"):
        for name, each in command.commands.items():
            yield from _commands(each, f"{path} {name}")


def _metrics() -> Iterator[str]:
    for collector in list(REGISTRY._collector_to_names):
        labels = ", ".join(getattr(collector, "_labelnames", ()))
        for metric in collector.describe() if hasattr(collector, "describe") else ():
            if metric.name.startswith(_OWN):
                yield f"{metric.name} | {metric.type} | {labels}"


def _settings() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        yield f"TRUNKLINE_{name.upper()} | {'required' if field.is_required() else ''}"


def _entry_points() -> Iterator[str]:
    yield from (f"{entry.group} | {entry.name}" for entry in entry_points(group="trunkline.services"))
    scripts = entry_points(group="console_scripts")
    yield from (f"console_scripts | {entry.name}" for entry in scripts if entry.name.startswith("trunkline"))


def _openapi(service: ServiceDefinition) -> str:
    clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    with TemporaryDirectory() as home:
        context = MagicMock(service=service, clock=clock, settings=Settings(home=Path(home)))
        context.name = service.name
        document = create_app({service.name: context}, operate_router).openapi()
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, text in promised().items():
        (FOLDER / file).write_text(text, encoding="utf-8")
