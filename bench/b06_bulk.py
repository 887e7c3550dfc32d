"""B6: a bulk assignment, a number and two add-ons in each row: foreseen and run, in one process and over Kafka."""

from __future__ import annotations

import time
from pathlib import Path

import httpx

from bench.figures import Figure, at_most, interleaved, median
from bench.office import ADDONS, Office, build
from bench.run import Run
from bench.servers import kafka
from bench.services import Running, together
from deploy.local_servers.broker import LocalBroker
from trunkline.security.tokens import Tokens
from trunkline.settings import Settings

PREVIEW = at_most(value=2, text="≤ 2 s")
RUN = at_most(value=15, text="≤ 15 s")
MEMORY = at_most(value=400, ratio=1.25, text="flat: ≤ 1.25× what a third of the rows takes, ≤ 400 MiB")
_PATIENCE_S = 180


def measure(run: Run) -> list[Figure]:
    """Preview, run and memory, over both transports."""
    n, rounds = (1_000, 1) if run.quick else (15_000, 3)
    office = build(run.databases, n)
    figures: list[Figure] = []
    ways = {"in one process": lambda _: _assign(run, office, None), "through Kafka": lambda _: _over_kafka(run, office)}
    for how, taken in zip(ways, interleaved(rounds, *ways.values()), strict=True):
        preview, ran, third, most = (median(t[part] for t in taken) for part in range(4))
        what = f"bulk assignment of rows with a number and two add-ons each, {how}"
        figures += [
            Figure("B6 preview", f"{what}: preview", preview, "s", PREVIEW, n, rounds),
            Figure("B6 run", f"{what}: run, to the last answer", ran, "s", RUN, n, rounds, context={"rate": n / ran}),
            Figure("B6 memory", f"{what}: memory", most, "MiB", MEMORY, n, rounds, third, most / third),
        ]
    return figures


def _over_kafka(run: Run, office: Office) -> tuple[float, float, float, float]:
    """With a broker of its own: another round's topics would say that the numbers ring elsewhere by now."""
    with kafka() as broker:
        return _assign(run, office, broker)


def _assign(run: Run, office: Office, broker: LocalBroker | None) -> tuple[float, float, float, float]:
    """Seconds for preview and run; MiB of the larger process at most, until a third of the rows was done and at all."""
    place = (run.databases, broker, office.licensing_url, office.numbers_url)
    with together(*place) as running, _client(running) as client:
        one = _draft(client, office)
        _until_numbers_are_known(running, office)
        begun = time.perf_counter()
        foreseen = client.get(f"{one}/preflight").raise_for_status().json()
        previewed = time.perf_counter()
        assert foreseen["would_succeed"] == office.size, foreseen["codes"]
        started = time.perf_counter()
        client.post(f"{one}/assign", json={}).raise_for_status()
        third = _until_completed(running, client, one, office.size)
        ended = time.perf_counter()
        return previewed - begun, ended - started, third, running.memory("VmHWM")


def _client(running: Running) -> httpx.Client:
    token = Tokens.of(Settings(home=Path(running.home))).issue("platform-admin")
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=running.urls["licensing"], headers=headers, timeout=60, trust_env=False)


def _draft(client: httpx.Client, office: Office) -> str:
    path = f"/licensing/organizations/{office.organization_id}/bulk-assignments"
    made = client.post(path, json={"name": "Everybody", "addons": list(ADDONS)}).raise_for_status().json()
    one = f"{path}/{made['bulk_id']}"
    client.post(f"{one}/users", content=office.file, headers={"Content-Type": "text/csv"}).raise_for_status()
    return one


def _until_numbers_are_known(running: Running, office: Office) -> None:
    """Licensing's copy of the numbers fills from the state topic."""
    deadline = time.monotonic() + _PATIENCE_S
    counted = "SELECT count(*) FROM number_copy WHERE state = 'assigned'"
    while running.fetch("licensing", counted)[0][0] < office.size:
        running.check()
        assert time.monotonic() < deadline, "the state topic does not come through"
        time.sleep(0.2)


def _until_completed(running: Running, client: httpx.Client, one: str, size: int) -> float:
    """Wait for the last row; MiB that the larger process had taken at most when a third of them was done."""
    deadline, third = time.monotonic() + _PATIENCE_S, 0.0
    while True:
        found = client.get(f"{one}/progress").raise_for_status().json()
        third = third or (running.memory("VmHWM") if 3 * found["succeeded"] >= size else 0.0)
        if found["status"] == "completed":
            assert found["succeeded"] == size, found
            return third
        running.check()
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
