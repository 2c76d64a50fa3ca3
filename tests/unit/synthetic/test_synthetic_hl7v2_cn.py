"""The made-up Chinese HL7 v2 feed: the same for the same seed, lossless in its encoding, and of valid numbers."""

from __future__ import annotations

import pytest

from synthetic.hl7v2_cn import VENDORS, Vendor, framed, make_feed
from synthetic.people import check_digit


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.name)
def test_a_feed_is_the_same_for_the_same_seed(vendor: Vendor) -> None:
    first, second = make_feed(7, vendor), make_feed(7, vendor)
    assert first == second
    assert first.data(first.oru) == second.data(second.oru)
    assert make_feed(8, vendor).adt != first.adt


def test_characters_of_the_feed_have_delimiters_as_second_bytes() -> None:
    feed = make_feed(7, VENDORS[0])
    data = framed(feed.vendor, feed.oru[0])
    assert data.count(b"|") > feed.oru[0].text.count("|") or data.count(b"^") > feed.oru[0].text.count("^")


def test_id_card_numbers_carry_a_right_check_digit() -> None:
    feed = make_feed(7, VENDORS[0])
    fields = feed.adt[0].text.split("\r")[2].split("|")
    assert fields[19][-1] == check_digit(fields[19][:17])


def test_the_feed_has_all_that_makes_it_hard() -> None:
    feed = make_feed(7, VENDORS[0], patients=40)
    assert set(feed.truth.visits.values()) == {"in-progress", "finished", "cancelled"}
    assert {status for status, _ in feed.truth.results.values()} >= {"F", "C", "D"}
    sent = [message.sent for message in feed.oru]
    assert sent != sorted(sent)
    assert feed.truth.messages > len({message.text for message in (*feed.adt, *feed.oru)})
