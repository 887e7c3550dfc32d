"""`trunkline demo`: the story of eight numbers, told and checked."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from trunkline.cli.terminal.command import CommandContext, verb
from trunkline.cli.terminal.exit_codes import Ended, Refused

if TYPE_CHECKING:
    from trunkline.demo.environment import Place
    from trunkline.demo.scenario import Scene


def add_demo(app: typer.Typer, panel: str) -> None:
    """Add `demo` to the commands."""

    @verb(app, "demo", remote=False, panel=panel)
    def demo(call: CommandContext) -> None:
        """Tell a story of sixty days in a few seconds, in a home of its own that is gone afterwards."""
        from trunkline.cli.run.up import why_not
        from trunkline.demo.environment import place
        from trunkline.demo.scenario import TookTooLong

        begun = time.monotonic()
        try:
            with place() as here:
                _play(call, here, begun)
        except TookTooLong as error:
            raise Refused(str(error)) from None
        except Ended:
            raise
        except Exception as error:
            ended = why_not(error)
            if ended is None:
                raise
            raise ended from None


def _play(call: CommandContext, here: Place, begun: float) -> None:
    """Tell the story and hold it against what is promised.

    Raises:
        Refused: a fact is not as promised.
    """
    from trunkline.cli.terminal.output import print_shown
    from trunkline.demo import output
    from trunkline.demo.checks import gather, promises
    from trunkline.demo.scenario import Story

    started = time.monotonic()
    scenes: list[Scene] = []

    def present(scene: Scene) -> None:
        scenes.append(scene)
        if not call.as_json:
            print_shown(output.scene(scene), widest=output.WIDEST)

    if not call.as_json:
        print_shown(output.opening(started - begun), widest=output.WIDEST)
    operator = here.operator()
    story = Story(operator, here.billing(), present)
    story.run()
    facts = gather(operator, story.said)
    checked = list(promises(facts, story.said))
    broken = [promise for promise in checked if not promise.kept]
    document: dict[str, Any] = {"kept": not broken, **facts, "scenes": [asdict(scene) for scene in scenes]}
    document["promises"] = [asdict(promise) | {"kept": promise.kept} for promise in checked]
    document["seconds"] = {"start": round(started - begun, 2), "story": round(time.monotonic() - started, 2)}
    document["next"] = _next()
    call.present(document, lambda: output.ending(document), widest=output.WIDEST)
    if broken:
        raise Refused("\n".join(f"{p.what}: promised {p.promised}, found {p.found}." for p in broken))


def _next() -> list[dict[str, str]]:
    """Three commands to try, as they can be typed here."""
    name = "trunkline" if shutil.which("trunkline") else _relative(Path(sys.argv[0]))
    return [
        {"command": f"TRUNKLINE_SANDBOX=on {name} up", "does": "run it, with a clock of your own"},
        {"command": f"{name} number add +442079460001 --vendor V --country GB --sku S", "does": "add a number"},
        {"command": f"{name} doctor", "does": "is everything well?"},
    ]


def _relative(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)
