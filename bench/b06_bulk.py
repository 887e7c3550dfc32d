"""B6: a bulk assignment, a number and two add-ons in each row: foreseen and run, in one process and over Kafka."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx

from bench.figures import Figure, at_most, median
from bench.office import ADDONS, Office, build
from bench.run import Run
from bench.services import Running, together
from trunkline.settings import Settings
from trunkline.tokens import Tokens

PREVIEW = at_most(value=2, text="≤ 2 s")
RUN = at_most(value=15, text="≤ 15 s")
GROWTH = at_most(value=60, text="flat: ≤ 60 MiB more at 15,000 rows")
_PATIENCE_S = 180


def measure(run: Run) -> list[Figure]:
    """Preview, run and memory, over both transports."""
    n, rounds = (1_000, 1) if run.quick else (15_000, 2)
    office = build(run.databases, n)
    figures: list[Figure] = []
    for how, broker in (("in one process", None), ("through Kafka", run.broker)):
        taken = [_assign(run, office, broker) for _ in range(rounds)]
        preview, ran, grown = (median(t[part] for t in taken) for part in range(3))
        what = f"bulk assignment of rows with a number and two add-ons each, {how}"
        figures += [
            Figure("B6 preview", f"{what}: preview", preview, "s", PREVIEW, n, rounds),
            Figure(
                "B6 run", f"{what}: run, to the last answer", ran, "s", RUN, n, rounds, None, None, {"rate": n / ran}
            ),
            Figure("B6 memory", f"{what}: growth of the larger process", grown, "MiB", GROWTH, n, rounds),
        ]
    return figures


def _assign(run: Run, office: Office, broker: Any) -> tuple[float, float, float]:
    """Seconds for preview and run, MiB that the larger process grew by."""
    place = (run.databases, broker, office.licensing_url, office.numbers_url)
    with together(*place) as running, _client(running) as client:
        one = _draft(client, office)
        _until_numbers_are_known(running, office)
        begun = time.perf_counter()
        foreseen = client.get(f"{one}/preflight").raise_for_status().json()
        previewed = time.perf_counter()
        assert foreseen["would_succeed"] == office.size, foreseen["codes"]
        before = running.memory("VmRSS")
        started = time.perf_counter()
        client.post(f"{one}/assign", json={}).raise_for_status()
        _until_completed(running, client, one, office.size)
        ended = time.perf_counter()
        return previewed - begun, ended - started, running.memory("VmHWM") - before


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
    while running.fetch("licensing", "SELECT count(*) FROM number_copy")[0][0] < office.size:
        running.check()
        assert time.monotonic() < deadline, "the state topic does not come through"
        time.sleep(0.2)
    time.sleep(2)


def _until_completed(running: Running, client: httpx.Client, one: str, size: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        found = client.get(f"{one}/progress").raise_for_status().json()
        if found["status"] == "completed":
            assert found["succeeded"] == size, found
            return
        running.check()
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
