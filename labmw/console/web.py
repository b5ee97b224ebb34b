"""Which pages does the web side have? /metrics for Prometheus and /healthz for whoever restarts what is ill."""

from __future__ import annotations

import os
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from labmw.clock import SYSTEM, Clock
from labmw.config import Config
from labmw.console.collector import StoreCollector
from labmw.console.headers import SecurityHeaders
from labmw.console.health import look
from labmw.watch.metrics_folder import VARIABLE


def build(config: Config, clock: Clock = SYSTEM) -> Starlette:
    """Build the application. Its endpoints are plain functions: Starlette runs them in threads, so that one cannot stop the other."""
    collector = StoreCollector(config.store.url, config.site.id, config.destinations, clock)
    beats = bool(config.link or config.destinations)

    def metrics(request: Request) -> Response:
        return Response(_counts() + _of(collector), media_type=CONTENT_TYPE_LATEST)

    def healthz(request: Request) -> Response:
        health = look(config.store.url, config.site.id, clock, beats=beats)
        if health.well:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "ill", "reasons": list(health.reasons)}, status_code=503)

    def failed(request: Request, error: Exception) -> Response:
        return PlainTextResponse(  # uvicorn logs the error itself
            "this page failed; the reason is in the log of the web process\n", status_code=500
        )

    return Starlette(
        routes=[Route("/metrics", metrics), Route("/healthz", healthz)],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={500: failed},
    )


def _counts() -> bytes:
    """What the processes have counted: from their common folder, else from this process alone."""
    folder = os.environ.get(VARIABLE, "")
    if not folder or not Path(folder).is_dir():
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def _of(collector: StoreCollector) -> bytes:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry)
