"""The HTTP side of a process: one application for the services that run in it, one gate in front of all doors."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import traceback
from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, TypeVar
from uuid import uuid4

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Request
from prometheus_client import Counter, Histogram
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from trunkline.errors import Refused
from trunkline.http.connection_deadlines import DeadlineProtocol
from trunkline.http.content_encoding import ContentDecoding
from trunkline.http.dependencies import MAX_BODY_BYTES
from trunkline.http.docs_page import docs_router
from trunkline.http.health import health_router, metrics_router
from trunkline.http.problems import add_problem_handlers, problem, refused_problem
from trunkline.http.usage_limits import Limits, TooManyBytes
from trunkline.security.authorization import NotAllowed
from trunkline.security.logins import Logins
from trunkline.security.permissions import ACTIONS
from trunkline.security.principal import Principal
from trunkline.security.revocations import Revocations
from trunkline.security.tokens import TokenMissing, Tokens, claimed_subject
from trunkline.service_definition import ServiceContext
from trunkline.shares import Shares

Context = TypeVar("Context", bound=ServiceContext)

BODY_SECONDS: Final = 120.0
"""In which a body must have come."""
MOST_BYTES_IN_FLIGHT: Final = 256 * 1_048_576
"""Of bodies larger than 1 MiB, received at one time."""
OPEN: Final = frozenset({"/livez", "/readyz", "/metrics", "/openapi.json", "/docs"})
"""The paths that need no token; every other one does, those that do not exist too."""

_ABOUT: Final = "Numbers and licenses of telecom resellers: what was sold, who uses it, and each number's whole life."
_PARAMETER: Final = re.compile(r"{\w+}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUESTS: Final = Counter("trunkline_http_requests", "HTTP requests answered", ("method", "route", "status"))
_SECONDS: Final = Histogram("trunkline_http_request_seconds", "Time to the answer's end", ("method", "route"))
_REFUSALS: Final = frozenset({401, 403})
_log = structlog.get_logger("trunkline.http")
_security = structlog.get_logger("trunkline.security")


class _Requests:
    """The outermost layer: gives each request its id, counts it, and answers for what nobody expected."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = str(uuid4())
        scope.setdefault("state", {})["request_id"] = request_id
        begun = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = [*message["headers"], (b"trunkline-request-id", request_id.encode())]
                message = {**message, "headers": [*headers, (b"x-content-type-options", b"nosniff")]}
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            # Formatted here, without the local variables that some log renderers show: the token is among them.
            text = "".join(traceback.format_exception(error))
            _log.error(
                "request failed", request_id=request_id, method=scope["method"], path=scope["path"], traceback=text
            )
            if status:
                raise  # the answer has begun: all that is left is to break it off
            detail = f"Something went wrong here; the log has it under the request id {request_id}."
            await problem(scope, 500, "internal-error", detail)(scope, receive, sending)
        finally:
            if status in _REFUSALS:
                _log_refusal(scope, status)
            route = getattr(scope.get("route"), "path", "none")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            _REQUESTS.labels(method, route, status).inc()
            _SECONDS.labels(method, route).observe(time.perf_counter() - begun)


def _log_refusal(scope: Scope, status: int) -> None:
    """One line of the security log: who was refused what (P6). Of a token that is not believed: whom it claims."""
    state = scope["state"]
    principal: Principal | None = state.get("principal")
    claimed = {"claimed_subject": state.get("claimed_subject")} if principal is None else {}
    if principal is not None:
        claimed = {"subject": principal.subject, "role": principal.role, "party": principal.party_id}
    about = {"method": scope["method"], "path": scope["path"], "client": (scope.get("client") or [None])[0]}
    _security.warning(
        "refused", status=status, code=state.get("problem"), request_id=state["request_id"], **about, **claimed
    )


class _Gate:
    """Nobody without a good token comes further (P1). Who it is lies in `request.state.principal` from here on."""

    def __init__(self, app: ASGIApp, tokens: Tokens, revocations: Revocations, logins: Logins, limits: Limits) -> None:
        self._app = app
        self._limits = limits
        self._logins = logins
        self._tokens = tokens
        self._revocations = revocations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in OPEN:
            try:
                header = Request(scope).headers.get("authorization", "")
                scheme, _, token = header.partition(" ")
                if scheme.lower() != "bearer" or not token.strip():
                    raise TokenMissing
                scope["state"]["claimed_subject"] = claimed_subject(token.strip())
                principal = await run_in_threadpool(self._principal, token.strip())
                scope["state"]["principal"] = principal
                held = self._limits.held(principal, scope["path"])
                held.__enter__()
            except Refused as refused:
                await refused_problem(scope, refused)(scope, receive, send)
                return
            try:
                await self._app(scope, receive, send)
            finally:
                held.__exit__(None, None, None)
            return
        await self._app(scope, receive, send)

    def _principal(self, token: str) -> Principal:
        verified = self._tokens.verified(token)
        self._revocations.check(verified)
        self._logins.note(verified)
        return verified.principal


class _BodyLimit:
    """No more of a body is read than its operation takes: 1 MiB, or what it says as `x-max-body-bytes`."""

    def __init__(self, app: ASGIApp, operations: FastAPI) -> None:
        self._app = app
        self._operations = operations
        self._in_flight = Shares(MOST_BYTES_IN_FLIGHT)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Request(scope).headers
        text = headers.get("content-length", "" if "transfer-encoding" in headers else "0")
        announced = int(text) if text.isascii() and text.isdigit() else MAX_BODY_BYTES + 1
        operation = {} if announced <= MAX_BODY_BYTES else self._operation(scope)
        limit = int(operation.get("x-max-body-bytes", MAX_BODY_BYTES))
        if text and announced > limit:
            detail = f"The body has {announced:,} bytes; {scope['path']} takes at most {limit:,}."
            await problem(scope, 413, "body-too-large", detail)(scope, receive, send)
            return
        receiving = _bounded(receive, limit)
        if announced <= MAX_BODY_BYTES:
            await self._app(scope, receiving, send)
            return
        try:
            _check_role(scope, operation.get("x-action"))
            self._in_flight.take("all", TooManyBytes(most=self._in_flight.most), amount := min(announced, limit))
        except Refused as refused:  # nothing of the body is read
            await refused_problem(scope, refused)(scope, receive, send)
            return
        try:
            await self._app(scope, receiving, send)
        finally:
            self._in_flight.give_back("all", amount)

    def _operation(self, scope: Scope) -> dict[str, Any]:
        """The operation in the OpenAPI document, of those that take large bodies."""
        for path, operations in self._operations.openapi()["paths"].items():
            found: dict[str, Any] = operations.get(scope["method"].lower(), {})
            if "x-max-body-bytes" in found and re.fullmatch(_PARAMETER.sub("[^/]+", path), scope["path"]):
                return found
        return {}


def _bounded(receive: Receive, limit: int) -> Receive:
    """Receive no more than so many bytes of a body, and all of it within a deadline."""
    taken, ended, deadline = 0, False, 0.0

    async def receiving() -> Message:
        nonlocal taken, ended, deadline
        if ended:
            return await receive()  # waits for the end of the connection
        deadline = deadline or asyncio.get_running_loop().time() + BODY_SECONDS
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408) from None
        ended = not message.get("more_body", False)
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(413)
        return message

    return receiving


def _check_role(scope: Scope, action: str | None) -> None:
    """Refuse a large body of whom its operation refuses whatever it says.

    Raises:
        NotAllowed: the role may nowhere do that.
    """
    principal: Principal | None = scope["state"].get("principal")
    if action is not None and principal is not None and principal.role not in ACTIONS[action]:
        raise NotAllowed(role=principal.role, action=action, where="")


def create_app(
    contexts: Mapping[str, Context],
    operator_routes: Callable[[Context, Revocations], APIRouter],
    tokens: Tokens | None = None,
) -> FastAPI:
    """The application of a process.

    Args:
        contexts: the services that run in it, by name; at least one.
        operator_routes: makes the routes of one service that only operators use.
        tokens: who is believed; None: as the settings say.
    """
    first = next(iter(contexts.values()))
    settings = first.settings
    app = FastAPI(
        title="Trunkline",
        description=_ABOUT,
        version="1",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    add_problem_handlers(app)
    app.add_middleware(_BodyLimit, operations=app)
    app.add_middleware(ContentDecoding)
    tokens = tokens or Tokens.of(settings)
    tokens.prefetch()
    revocations = Revocations([context.store for context in contexts.values()])
    limits = Limits(settings.requests_per_second, settings.open_streams)
    app.add_middleware(
        _Gate, limits=limits, tokens=tokens, revocations=revocations, logins=Logins(first.store, first.clock)
    )
    app.add_middleware(_Requests)  # added last, so outermost
    routers = [health_router(contexts), docs_router(app)]
    if settings.metrics_port is None:
        routers.append(metrics_router(contexts))
    for context in contexts.values():
        routers += [operator_routes(context, revocations), *context.service.routes(context)]
    # They are whole. `include_router` would prepare each operation once more for what it can add to it, which is
    # nothing here: more than half the time that a service takes to start.
    app.router.routes.extend(route for router in routers for route in router.routes)
    return app


def create_metrics_app(contexts: Mapping[str, ServiceContext]) -> FastAPI:
    """`/metrics` and nothing else, for a port of its own."""
    app = FastAPI(title="Trunkline metrics", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.include_router(metrics_router(contexts))
    return app


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to whoever runs the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def server(app: FastAPI, host: str, port: int) -> uvicorn.Server:
    """A server for the application, to be awaited with `.serve()` and ended by setting `.should_exit`.

    Args:
        app: what it serves.
        host: where it listens.
        port: where it listens; 0: a free one, found in `.servers[0].sockets[0].getsockname()`.
    """
    config = uvicorn.Config(
        app,
        host,
        port,
        http=DeadlineProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return _Server(config)
