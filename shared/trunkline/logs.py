"""Where the log goes: one stream, never stdout, which belongs to what a command says."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import structlog


def log_to(stream: TextIO) -> None:
    """Send everything that is logged in this process to a stream: readable on a terminal, else one JSON object a line.

    Args:
        stream: such as stderr, or an open file.
    """
    people = stream.isatty()
    # A traceback shows lines of code, never the values of variables: one of them may be a token or a password.
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    render = console if people else structlog.processors.JSONRenderer()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if people else "iso", utc=not people),
    ]
    failures: list[structlog.typing.Processor] = [] if people else [structlog.processors.format_exc_info]
    structlog.configure(
        processors=[*shared, *failures, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    formatting = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *failures, render]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=formatting, foreign_pre_chain=shared))
    logging.getLogger().handlers[:] = [handler]
    # A pool warns at each try to reach a server that is away; `Availability` logs that once.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    # The parser of forms warns of each byte that it refuses; the response names what is wrong.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)


@contextmanager
def logging_to(stream: TextIO) -> Iterator[None]:
    """Send the log to a stream for a while, then where it went before."""
    before, handlers = structlog.get_config(), logging.getLogger().handlers[:]
    log_to(stream)
    try:
        yield
    finally:
        structlog.configure(**before)
        logging.getLogger().handlers[:] = handlers
