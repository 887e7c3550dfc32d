"""Whether the process lives, whether it is ready, and what it counts."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import psycopg
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from psycopg_pool import PoolTimeout
from pydantic import BaseModel

from trunkline.doors import Node


class Live(BaseModel):
    """The process answers."""

    live: bool = True


class Ready(BaseModel):
    """Whether requests and messages are being served; what keeps them from it, by service."""

    ready: bool
    troubles: dict[str, list[str]]


def health_router(nodes: Mapping[str, Node]) -> APIRouter:
    """`/livez`, `/readyz` and `/metrics`, open to everybody: they tell nothing of anybody's numbers."""
    router = APIRouter(tags=["health"])

    @router.get("/livez", summary="Does the process answer?")
    async def livez() -> Live:
        return Live()

    @router.get(
        "/readyz",
        summary="Can it serve, and if not, why?",
        responses={503: {"model": Ready, "description": "not ready"}},
    )
    def readyz(response: Response) -> Ready:
        troubles = {name: _troubles(node) for name, node in nodes.items()}
        ready = not any(troubles.values())
        response.status_code = 200 if ready else 503
        return Ready(ready=ready, troubles={name: told for name, told in troubles.items() if told})

    @router.get("/metrics", summary="What Prometheus reads", response_class=Response)
    def metrics() -> Response:
        for node in nodes.values():
            with suppress(psycopg.Error, PoolTimeout):  # without its database the last figures stand
                node.measure()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


def _troubles(node: Node) -> list[str]:
    try:
        node.store.fetch("SELECT 1")
    except (psycopg.Error, PoolTimeout) as error:
        return [f"its database does not answer ({type(error).__name__})", *node.troubles()]
    return node.troubles()
