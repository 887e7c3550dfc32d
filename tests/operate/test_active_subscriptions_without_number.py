"""An active subscription whose number is not assigned: sold and assigned are two facts everywhere (S6, O7)."""

from __future__ import annotations

from tests.http.world import created
from tests.operate.home import Home


async def test_then_each_read_says_what_was_sold_and_that_it_is_not_assigned(home: Home) -> None:
    """S6, O7: the number that was sold is no number that the subscription has."""
    (missing,) = home.numbers(1)
    (subscription,) = await home.buy(missing)
    await home.quiet()
    shown = created(await home.admin.get(f"/numbers/subscriptions/{subscription}"))
    assert (shown["number_sold"], shown["assigned"], shown["assigned_number"]) == (missing, False, None)
    assert shown["not_assigned"]["code"] == "number-unknown"
    for path in (f"/licensing/subscriptions/{subscription}", f"/licensing/subscriptions?number=%2B{missing[1:]}"):
        found = created(await home.admin.get(path))
        sold = found["items"][0] if "items" in found else found
        assert (sold["number"], sold["assigned"], sold["assigned_since"]) == (missing, False, None)


async def test_then_it_is_counted_apart_and_listed_until_it_is_dismissed_or_served(home: Home) -> None:
    """O7, S6: reconcile does not count it among those that have their number; a dismissal closes it."""
    ((had, _),) = await home.sold(1)
    (missing,) = home.numbers(1)
    (subscription,) = await home.buy(missing)
    await home.quiet()
    report = await home.compared()
    assert (report.agrees, report.counted["active"], report.counted["without"]) == (True, 1, 1)
    listed = created(await home.admin.get("/numbers/operate/without-number"))
    assert [(each["subscription_id"], each["code"]) for each in listed["items"]] == [(subscription, "number-unknown")]
    assert (listed["total"], listed["open"]) == (1, 1)
    await home.admin.post(f"/numbers/refused/{subscription}/dismiss", {"remark": "they do without"})
    await home.quiet()
    listed = created(await home.admin.get("/numbers/operate/without-number"))
    assert ([each["code"] for each in listed["items"]], listed["open"]) == (["dismissed"], 0)
    only_open = await home.admin.get("/numbers/operate/without-number", params={"dismissed": "false"})
    assert created(only_open)["items"] == []
    assert had not in {each["number"] for each in listed["items"]}


async def test_then_its_tag_changes_when_the_number_does(home: Home) -> None:
    """S6: a reader that has seen "not assigned" sees "assigned" once the number is there."""
    (missing,) = home.numbers(1)
    (subscription,) = await home.buy(missing)
    await home.quiet()
    paths = (f"/numbers/subscriptions/{subscription}", f"/licensing/subscriptions/{subscription}")
    tags = [(await home.admin.get(path)).headers["ETag"] for path in paths]
    created(await home.add(missing))
    await home.quiet()
    for path, tag in zip(paths, tags, strict=True):
        again = await home.admin.get(path, headers={"If-None-Match": tag})
        assert created(again)["assigned"] is True
