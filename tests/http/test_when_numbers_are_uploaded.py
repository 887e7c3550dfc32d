"""When a file of numbers is uploaded over HTTP: preview, run, progress, cancel, report (R1, R2, R3, R6, §9)."""

from __future__ import annotations

import csv
import json
from typing import Any
from uuid import uuid4

import httpx

from tests.http.world import Caller, World, created, event, problem

HEADER = "Country Code,Phone Number,Voice,SMS,Fax"
CSV = {"Content-Type": "text/csv"}


def lines(*numbers: str, voice: str = "TRUE", sms: str = "FALSE") -> list[str]:
    return [f"SG,{number},{voice},{sms},FALSE" for number in numbers]


def file_of(*rows: str, header: str = HEADER) -> bytes:
    return "\r\n".join((header, *rows, "")).encode()


async def send(by: Caller, data: bytes, **params: Any) -> httpx.Response:
    return await by("POST", "/numbers/uploads", content=data, headers=CSV, params=params)


async def until_ended(by: Caller, upload_id: str) -> Any:
    """Follow the progress to its end; the upload after it, and every state told on the way."""
    states = []
    answer = await by.get(f"/numbers/uploads/{upload_id}/progress")
    for block in answer.text.split("\n\n"):
        if block and not block.startswith(":"):
            kind, told = block.splitlines()[1:]
            assert kind == "event: progress"
            states.append(json.loads(told.removeprefix("data: ")))
    return states


async def run(by: Caller, upload_id: str) -> Any:
    created(await by.post(f"/numbers/uploads/{upload_id}/run"))
    return (await until_ended(by, upload_id))[-1]


async def test_a_file_is_previewed_run_and_reported(world: World) -> None:
    """R1, R3, N7: nothing is added before it is run; then each good row is, as the file says it."""
    plain, rich, calling, legacy = world.numbers(4)
    header = f"{HEADER},Vendor,SKU,Routing,Golden,Ported In,Domains,Legacy Lock"
    data = file_of(
        f"SG,{plain[3:]},TRUE,FALSE,FALSE,,,,,,,",
        f"sg,'{rich},true,TRUE,TRUE,Acme,GOLD,r-1,TRUE,TRUE,a.example; b.example,",
        f"65,{calling},FALSE,FALSE,TRUE,,,,,,,FALSE",
        f"+65,{legacy[3:7]} {legacy[7:]},TRUE,FALSE,FALSE,,,,,,,TRUE",
        header=header,
    )
    answer = await send(world.admin, data, vendor="Vend", sku="DID", voice_carrier="V", file_name="mine.csv")
    seen = created(answer)
    assert answer.status_code == 201
    assert (seen["rows"], seen["good"], seen["bad"], seen["status"]) == (4, 4, 0, "previewed")
    problem(await world.admin.get(f"/numbers/{plain}"), 404, "number-unknown")
    path = answer.headers["Location"]
    ended = await run(world.admin, seen["upload_id"])
    assert (ended["status"], ended["done"], ended["added"], ended["refused"]) == ("completed", 4, 4, 0)
    assert ended["ended_at"] >= ended["started_at"] >= ended["previewed_at"]
    shown = {n: created(await world.admin.get(f"/numbers/{n}")) for n in (plain, rich, calling, legacy)}
    assert (shown[plain]["vendor"], shown[plain]["sku"], shown[plain]["state"]) == ("Vend", "DID", "available")
    assert shown[rich] | {
        "vendor": "Acme", "sku": "GOLD", "routing": "r-1", "golden": True, "ported_in": True,
        "domains": ["a.example", "b.example"], "voice_carrier": "V", "sms_carrier": "default",
    } == shown[rich]  # fmt: skip
    assert shown[calling]["capabilities"] == {"voice": False, "sms": False, "fax": True}
    assert shown[calling]["voice_carrier"] is None
    assert shown[legacy]["state"] == "locked"
    assert shown[legacy]["ends_at"] is None
    history = created(await world.admin.get(f"/numbers/{plain}/history"))["items"]
    assert history[0]["correlation_id"] == seen["upload_id"]
    report = list(csv.DictReader((await world.admin.get(f"{path}/report")).text.splitlines()))
    assert [(r["Line"], r["Outcome"]) for r in report] == [(str(n), "added") for n in range(2, 6)]
    assert report[1]["Phone Number"] == f"'{rich}"


async def test_a_number_without_a_chosen_carrier_gets_the_policys(world: World) -> None:
    """R2: for voice and SMS, where the row has it on."""
    both, none = world.numbers(2)
    upload = created(await send(world.admin, file_of(*lines(both, sms="TRUE"), *lines(none, voice="FALSE"))))
    await run(world.admin, upload["upload_id"])
    shown = created(await world.admin.get(f"/numbers/{both}"))
    assert (shown["voice_carrier"], shown["sms_carrier"]) == ("default", "default")
    shown = created(await world.admin.get(f"/numbers/{none}"))
    assert (shown["voice_carrier"], shown["sms_carrier"]) == (None, None)


async def test_every_bad_row_is_told_with_its_place_and_reason(world: World) -> None:
    """R3, §9: line, column, value, code and sentence; the good rows go through."""
    good, there, twice = world.numbers(3)
    created(await world.add(there))
    bad = [
        ("XX,1,TRUE,FALSE,FALSE", "Country Code", "country-code-unknown"),
        ("SG,+,TRUE,FALSE,FALSE", "Phone Number", "number-unreadable"),
        ("SG,3158OOO1,TRUE,FALSE,FALSE", "Phone Number", "number-unreadable"),
        ("SG,+6531580001234567,TRUE,FALSE,FALSE", "Phone Number", "number-unreadable"),
        ("SG,1777,TRUE,FALSE,FALSE", "Phone Number", "number-is-short-code"),
        ("SG,,TRUE,FALSE,FALSE", "Phone Number", "cell-blank"),
        ("SG,31580001,yes,FALSE,FALSE", "Voice", "cell-not-true-or-false"),
        ("SG,31580001,TRUE,,FALSE", "SMS", "cell-blank"),
        (f"SG,{there},TRUE,FALSE,FALSE", "Phone Number", "number-present"),
        (f"SG,{twice},TRUE,FALSE,FALSE", "", ""),
        (f"SG,{twice[3:]},TRUE,FALSE,FALSE", "Phone Number", "number-twice-in-file"),
        (f"SG,{good},TRUE,FALSE,FALSE,more", "6", "row-too-long"),
        ('SG,"31\n580002",TRUE,FALSE,FALSE', "Phone Number", "number-unreadable"),
    ]
    upload = created(await send(world.admin, file_of(*lines(good), *(row for row, _, _ in bad))))
    told = [(row["line"], row["column"], row["code"]) for row in upload["bad_rows"]]
    assert told == [(place, column, code) for place, (_, column, code) in enumerate(bad, start=3) if code]
    assert all(row["reason"].endswith(".") for row in upload["bad_rows"])
    assert (upload["good"], upload["bad"]) == (2, 12)
    ended = await run(world.admin, upload["upload_id"])
    assert (ended["added"], ended["refused"]) == (2, 12)
    path = f"/numbers/uploads/{upload['upload_id']}/report"
    report = created(await world.admin.get(path, params={"format": "json", "only": "refused"}))
    assert [(r["line"], r["column"], r["code"]) for r in report["rows"]] == told
    assert [r["reason"] for r in report["rows"]] == [row["reason"] for row in upload["bad_rows"]]


async def test_a_file_that_is_wrong_as_a_whole_is_refused_by_name(world: World) -> None:
    """R1, §9: columns, delimiters, encodings, kinds of content; nothing is kept."""
    before = created(await world.admin.get("/numbers/uploads"))["total"]
    (number,) = world.numbers(1)
    row = lines(number)
    wrong = [
        (file_of(*row, header=f"{HEADER},Colour"), "column-unknown", "Colour"),
        (file_of(*row, header=HEADER.replace(",Fax", "")), "column-missing", "Fax"),
        (file_of(*row, header=f"{HEADER},voice"), "column-twice", "voice"),
        (file_of(*row).replace(b",", b";"), "delimiter-wrong", "semicolons"),
        (file_of(*row).decode().encode("utf-16"), "not-utf8", "UTF-16"),
        (file_of(*row) + b'SG,"3', "quote-open", "closed"),
        (file_of(*row) + b"SG,\x00,TRUE", "nul-byte", "NUL"),
        (b"", "file-empty", "empty"),
        (file_of(), "file-without-rows", "no rows"),
    ]
    for data, code, name in wrong:
        assert name in problem(await send(world.admin, data), 422, code)["detail"], code
    other = await world.admin("POST", "/numbers/uploads", json={})
    problem(other, 415, "file-kind-unsupported")
    problem(await send(world.admin, file_of(*row), holder_id=str(uuid4())), 404, "holder-unknown")
    assert created(await world.admin.get("/numbers/uploads"))["total"] == before


async def test_a_form_carries_the_file_and_its_fields(world: World) -> None:
    """R1: as a browser sends it; a field that is not known is refused by name."""
    (number,) = world.numbers(1)
    files = {"file": ("C:\\lists\\päper.csv", file_of(*lines(number)), "text/csv")}
    fields = {"holder_id": world.east_org, "voice_carrier": "Big", "sku": ""}
    sent = await world.admin("POST", "/numbers/uploads", files=files, data=fields)
    upload = created(sent)
    assert (upload["file_name"], upload["holder_id"], upload["voice_carrier"]) == ("päper.csv", world.east_org, "Big")
    await run(world.admin, upload["upload_id"])
    assert created(await world.admin.get(f"/numbers/{number}"))["holder_id"] == world.east_org
    told = problem(
        await world.admin("POST", "/numbers/uploads", files=files, data={"color": "x"}), 422, "field-not-taken"
    )
    assert "color" in told["detail"]
    problem(await world.admin("POST", "/numbers/uploads", files={"other": b"x"}), 422, "form-without-file")
    broken = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x", b"--x\r\n\r\n--x--", b'--x\r\nContent-Disposition: form-data; name="file"\r\n--x--'):
        answer = await world.admin("POST", "/numbers/uploads", content=body, headers=broken)
        problem(answer, 422, "form-unreadable")


async def test_a_dry_run_keeps_nothing_and_a_key_gives_one_upload(world: World) -> None:
    """R3: previews of a preview; the same key and file is the same upload."""
    data, before = file_of(*lines(*world.numbers(2))), created(await world.admin.get("/numbers/uploads"))["total"]
    seen = created(await send(world.admin, data, dry_run=True))
    assert (seen["upload_id"], seen["good"]) == (None, 2)
    assert created(await world.admin.get("/numbers/uploads"))["total"] == before
    headers = CSV | {"Idempotency-Key": str(uuid4())}
    first, again = [
        created(await world.admin("POST", "/numbers/uploads", content=data, headers=headers)) for _ in range(2)
    ]
    assert first == again
    other = await world.admin("POST", "/numbers/uploads", content=data + b"\r\n", headers=headers)
    problem(other, 422, "idempotency-key-reused")
    path = f"/numbers/uploads/{first['upload_id']}"
    would = await world.admin.post(f"{path}/run", params={"dry_run": True})
    assert created(would)["status"] == "running"
    assert created(await world.admin.get(path))["status"] == "previewed"


async def test_it_is_run_once_and_cancelled_before_its_end_only(world: World) -> None:
    """R3: run again says the same; cancelled it stays; what is over cannot be cancelled; If-Match is heeded."""
    data = file_of(*lines(*world.numbers(2)))
    upload = created(await send(world.admin, data))["upload_id"]
    path = f"/numbers/uploads/{upload}"
    problem(await world.admin.post(f"{path}/run", headers={"If-Match": '"7"'}), 412, "version-mismatch")
    created(await world.admin.post(f"{path}/cancel"))
    assert created(await world.admin.post(f"{path}/cancel"))["status"] == "cancelled"
    problem(await world.admin.post(f"{path}/run"), 409, "upload-ended")
    report = created(await world.admin.get(f"{path}/report", params={"format": "json"}))
    assert [row["outcome"] for row in report["rows"]] == ["cancelled", "cancelled"]
    other = created(await send(world.admin, data))["upload_id"]
    assert (await run(world.admin, other))["added"] == 2
    assert created(await world.admin.post(f"/numbers/uploads/{other}/run"))["status"] == "completed"
    problem(await world.admin.post(f"/numbers/uploads/{other}/cancel"), 409, "upload-ended")
    nothing = created(await send(world.admin, data))
    assert (nothing["good"], nothing["bad_rows"][0]["code"]) == (0, "number-present")
    problem(await world.admin.post(f"/numbers/uploads/{nothing['upload_id']}/run"), 409, "nothing-to-upload")


async def test_an_upload_has_a_history_of_its_own(world: World) -> None:
    """R3: who sent it, who let it run, how it went on; by pages; of its branch alone."""
    east, west = (world.caller("partner-admin", partner) for partner in (world.east, world.west))
    upload = created(await send(east, file_of(*lines(*world.numbers(2)))))["upload_id"]
    await run(east, upload)
    path = f"/numbers/uploads/{upload}/history"
    told = created(await east.get(path))
    items = told["items"]
    assert [(i["event"], i["status"], i["done"], i["added"]) for i in items] == [
        ("UploadPreviewed", "previewed", 0, 0),
        ("UploadStarted", "running", 0, 0),
        ("UploadChunkDone", "running", 2, 2),
        ("UploadCompleted", "completed", 2, 2),
    ]
    assert told["total"] == 4
    assert items[0]["actor"] == items[1]["data"]["by"] != ""
    assert items[0]["data"]["file_name"] == "numbers.csv"
    page = created(await east.get(path, params={"limit": 3}))
    rest = created(await east.get(path, params={"cursor": page["next"], "limit": 3}))
    assert page["items"] + rest["items"] == items
    newest = created(await east.get(path, params={"sort": "-at"}))["items"]
    assert newest == items[::-1]
    problem(await west.get(path), 404, "upload-unknown")
    problem(await world.admin.get(f"/numbers/uploads/{uuid4()}/history"), 404, "upload-unknown")


async def test_what_comes_between_preview_and_run_is_refused_row_by_row(world: World) -> None:
    """R3: each row is decided anew when its turn comes; the report says why not."""
    first, second = world.numbers(2)
    upload = created(await send(world.admin, file_of(*lines(first, second))))["upload_id"]
    created(await world.add(first))
    ended = await run(world.admin, upload)
    assert (ended["added"], ended["refused"]) == (1, 1)
    report = created(await world.admin.get(f"/numbers/uploads/{upload}/report", params={"format": "json"}))
    assert [(r["number"], r["outcome"], r["code"]) for r in report["rows"]] == [
        (first, "refused", "number-present"),
        (second, "added", None),
    ]


async def test_who_waits_for_an_uploaded_number_gets_it(world: World) -> None:
    """R3, S6: in the same work that adds it."""
    (number,), subscription = world.numbers(1), str(uuid4())
    created(await world.bill(event("started", subscription, world.east_org, product="number", number=number, sku="x")))
    await world.settle()
    await run(world.admin, created(await send(world.admin, file_of(*lines(number))))["upload_id"])
    assert created(await world.admin.get(f"/numbers/{number}"))["subscription_id"] == subscription


async def test_a_partner_uploads_for_its_branch_and_an_organization_where_it_may(world: World) -> None:
    """R6, P2, P3, §10.13: only where external numbers are allowed, and no more once they are not; unseen by others."""
    partner, org = world.caller("partner-admin", world.east), world.caller("org-admin", world.east_org)
    west = world.caller("partner-admin", world.west)
    own, orgs, theirs, elsewhere, last = world.numbers(5)
    created(await world.add(elsewhere, holder=world.west_org))
    upload = created(await send(partner, file_of(*lines(own, elsewhere))))
    assert upload["bad_rows"][0]["reason"] == f"{elsewhere} is in the inventory already."
    await run(partner, upload["upload_id"])
    assert created(await partner.get(f"/numbers/{own}"))["uploader_id"] == world.east
    problem(await send(partner, file_of(*lines(orgs)), holder_id=world.west_org), 404, "holder-unknown")
    upload = created(await send(partner, file_of(*lines(orgs)), holder_id=world.east_org))
    path = f"/numbers/uploads/{upload['upload_id']}"
    for stranger in (west, org):
        problem(await stranger.get(path), 404, "upload-unknown")
        problem(await stranger.get(f"{path}/report"), 404, "upload-unknown")
        problem(await stranger.get(f"{path}/progress"), 404, "upload-unknown")
        assert upload["upload_id"] not in (await stranger.get("/numbers/uploads")).text
    problem(await send(org, file_of(*lines(theirs))), 403, "not-allowed")
    problem(await send(world.caller("platform-support"), file_of(*lines(theirs))), 403, "not-allowed")
    await _allow(world, external=True)
    upload = created(await send(org, file_of(*lines(theirs))))
    await run(org, upload["upload_id"])
    assert created(await org.get(f"/numbers/{theirs}"))["holder_id"] == world.east_org
    listed = created(await partner.get("/numbers/uploads", params={"limit": 2}))
    assert listed["items"][0]["upload_id"] == upload["upload_id"]
    assert listed["total"] == 3
    rest = created(await partner.get("/numbers/uploads", params={"limit": 2, "cursor": listed["next"]}))
    assert len(rest["items"]) == 1
    upload = created(await send(org, file_of(*lines(last))))
    await _allow(world, external=False)
    problem(await org.post(f"/numbers/uploads/{upload['upload_id']}/run"), 403, "not-allowed")


async def _allow(world: World, *, external: bool) -> None:
    path = f"/licensing/organizations/{world.east_org}"
    created(await world.admin("PATCH", path, json={"allow_external_numbers": external}))
    await world.settle()


async def test_what_only_the_platform_may_is_refused_in_the_row(world: World) -> None:
    """N7, P2: locks without end, and the portal domains of others."""
    partner, (number,) = world.caller("partner-admin", world.east), world.numbers(1)
    header = f"{HEADER},Domains,Legacy Lock"
    rows = (f"SG,{number},TRUE,FALSE,FALSE,west-{world.name}.example,", f"SG,{number},TRUE,FALSE,FALSE,,TRUE")
    told = created(await send(partner, file_of(*rows, header=header)))["bad_rows"]
    assert [row["code"] for row in told] == ["domain-not-yours", "legacy-lock-not-yours"]
    mine = f"SG,{number},TRUE,FALSE,FALSE,east-{world.name}.example,"
    assert created(await send(partner, file_of(mine, header=header)))["good"] == 1


async def test_a_long_upload_can_be_watched_and_cancelled_between_its_chunks(world: World) -> None:
    """R3: progress counts rows and says how long it takes; cancelled, what is added stays and the rest never comes."""
    numbers = world.numbers(6_000)
    upload = created(await send(world.admin, file_of(*lines(*numbers))))["upload_id"]
    path = f"/numbers/uploads/{upload}"
    created(await world.admin.post(f"{path}/run"))
    while created(await world.admin.get(path))["done"] == 0:
        pass
    during = created(await world.admin.get(path))
    assert during["rate"] > 0
    created(await world.admin.post(f"{path}/cancel"))
    ended = created(await world.admin.get(path))
    assert ended["status"] in ("cancelled", "completed")
    assert ended["done"] % 1_000 == 0
    report = created(await world.admin.get(f"{path}/report", params={"format": "json"}))["rows"]
    outcomes = [row["outcome"] for row in report]
    assert outcomes == ["added"] * ended["done"] + ["cancelled"] * (6_000 - ended["done"])
    store = world.deployment.runtimes["numbers"].store
    streams = [f"number/{number}" for number in numbers]
    there = store.fetch("SELECT count(*) FROM stored_events WHERE originator_id = ANY(%s)", (streams,))[0][0]
    assert there == ended["done"]


async def test_the_sample_is_a_file_that_is_taken(world: World) -> None:
    """R1: as it is downloaded."""
    sample = await world.admin.get("/numbers/uploads/sample")
    assert sample.headers["content-type"].startswith("text/csv")
    assert created(await send(world.admin, sample.content, dry_run=True))["rows"] == 3


async def test_a_large_file_is_taken_and_a_too_large_one_is_not_even_read(world: World) -> None:
    """R1, §9: beyond the 1 MiB of other operations, up to 32 MiB and the most rows; what is over is refused whole."""
    rows = [f"SG,{place},TRUE,FALSE,FALSE" for place in range(31_000_000, 31_045_000)]
    data = file_of(*rows)
    assert len(data) > 1_048_576
    assert created(await send(world.admin, data, dry_run=True))["rows"] == 45_000
    told = problem(await send(world.admin, b"x" * (32 * 1_048_576 + 1)), 413, "body-too-large")
    assert "33,554,432" in told["detail"]
    limit = world.deployment.settings.upload_limit
    told = problem(await send(world.admin, file_of(*["SG,1,TRUE,FALSE,FALSE"] * (limit + 1))), 422, "too-many-rows")
    assert f"{limit:,} rows" in told["detail"]
    assert f"line {limit + 2}" in told["detail"]
