"""Work that outlives the command that began it: Ctrl-C, a killed service and slow projections end with what shows it.

Such a command must not be repeated: it would begin the work a second time. So each of these ends names the work, says
whether it goes on, and gives the command that shows it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from trunkline.cli.terminal.exit_codes import Partly, Unreachable

_BEHIND: Final = "The projections are behind, so its figures cannot be read yet."
_BEHIND_CODE: Final = "views-behind"
_CANNOT: Final = "The service cannot answer now."
_AGAIN: Final = "It goes on once the service runs again."


@contextmanager
def outliving(work: str, show: str, *, away: str = _AGAIN) -> Iterator[None]:
    """Watch work that goes on in the service.

    Args:
        work: what it is, with its id, such as `Upload 5c1d…`.
        show: the command that shows it.
        away: what becomes of it while the service is away.

    Raises:
        Partly: Ctrl-C; the work goes on.
        Unreachable: the service was killed, or its projections are behind.
    """
    try:
        yield
    except KeyboardInterrupt:
        sentence = f"{work} goes on in the service; `{show}` shows it."
        raise Partly(sentence, {"detail": sentence, "goes_on": True, "show": show}) from None
    except Unreachable as ended:
        becomes = "It goes on." if ended.document.get("code") == _BEHIND_CODE else away
        sentence = f"{reason(ended)} {work} was begun. {becomes} `{show}` shows it; do not begin it again."
        raise Unreachable(sentence, {**ended.document, "detail": sentence, "show": show}) from None


def reason(ended: Unreachable) -> str:
    """Why a service could not be asked, without the advice to try again."""
    code = ended.document.get("code")
    if code is None:
        return str(ended)
    return _BEHIND if code == _BEHIND_CODE else _CANNOT


@contextmanager
def before_it_runs(nothing: str, show: str) -> Iterator[None]:
    """Send what only prepares work, of which nothing runs yet.

    Args:
        nothing: that nothing has happened, as a sentence.
        show: the command that shows whether it arrived.

    Raises:
        Partly: Ctrl-C.
        Unreachable: the service does not answer.
    """
    try:
        yield
    except KeyboardInterrupt:
        sentence = f"{nothing} `{show}` shows whether it arrived."
        raise Partly(sentence, {"detail": sentence, "goes_on": False, "show": show}) from None
    except Unreachable as ended:
        sentence = f"{ended} {nothing} `{show}` shows whether it arrived."
        raise Unreachable(sentence, {**ended.document, "detail": sentence, "show": show}) from None
