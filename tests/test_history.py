"""History: what happened to a record, in order, for people and for programs."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from leadconvert import (
    Actor,
    Contact,
    Conversion,
    Deal,
    GenericRecord,
    Happened,
    Happening,
    Lead,
    Record,
    Ref,
    StageChange,
    Undone,
    advance,
    convert,
    history,
    presets,
)
from leadconvert.codec import Codec
from leadconvert.testing import moments


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
DEAL: Final = Ref("deal", "D-5")
COMPANY: Final = Ref("company", "CO-9")
CONTACT: Final = Ref("contact", "C-3")
RULES: Final = presets.bitrix24()
ADA: Final = Actor("u-7", roles=["admin"])


def made(number: int = 1, at: datetime = AT, **other: Any) -> Conversion:  # noqa: ANN401
    """The conversion of a lead into one deal."""
    facts = {"actor_id": "u-7", "targets": [DEAL], "rules": "9f2c"} | other
    return Conversion(id=f"L-7.{number}", at=at, **facts)


def moved(to: str, at: datetime = AT, **other: Any) -> StageChange:  # noqa: ANN401
    """A step to another stage."""
    return StageChange(to_stage=to, at=at, **other)


def taken_back(how: str, at: datetime = AT, **other: Any) -> Undone:  # noqa: ANN401
    """That a conversion was undone."""
    return Undone(how=how, at=at, actor_id="u-8", **other)


def lead(**values: Any) -> Lead:  # noqa: ANN401
    """A lead with a history."""
    return Lead(id="L-7", stage="x", **values)


def told(record: Record) -> list[str]:
    """What a person reads, without the moments."""
    return [str(happening).split(": ", 1)[1] for happening in history(record)]


def kinds_of(record: Record) -> list[str]:
    """What happened, and to what."""
    return [
        f"{one.what.value} {one.conversion or one.to_stage or ''}".strip()
        for one in history(record)
    ]


class Folding(tzinfo):
    """A zone whose clock is put back by an hour: the hour that comes twice says which by fold."""

    def utcoffset(self, at: datetime | None) -> timedelta:
        """One hour in winter, two in summer."""
        return HOUR if at is not None and at.fold else 2 * HOUR

    def dst(self, at: datetime | None) -> timedelta:
        """What of it is summer time."""
        return self.utcoffset(at) - HOUR

    def tzname(self, at: datetime | None) -> str:
        """Nobody reads it."""
        del at
        return "folding"


class TestSentence:
    @pytest.mark.parametrize(
        ("values", "sentence"),
        [
            ({"created_at": AT}, "somebody created it"),
            ({"created_at": AT, "created_by_id": "u-1"}, "u-1 created it"),
            ({"stage_history": [moved("NEW", actor_id="u-1")]}, "u-1 put it into 'NEW'"),
            (
                {"stage_history": [moved("B", from_stage="A", actor_id="u-1")]},
                "u-1 moved it from 'A' to 'B'",
            ),
            ({"stage_history": [moved("B", from_stage="A")]}, "somebody moved it from 'A' to 'B'"),
            (
                {"stage_history": [moved("B", from_stage="A", rule="r-1", reason="it's\nold")]},
                "somebody moved it from 'A' to 'B' by rule 'r-1', reason: \"it's\\nold\"",
            ),
            ({"conversions": [made()]}, "u-7 converted it into deal D-5 (created)"),
            ({"conversions": [made(targets=[])]}, "u-7 converted it into nothing"),
            (
                {"conversions": [made(targets=[DEAL, COMPANY], linked=[COMPANY])]},
                "u-7 converted it into deal D-5 (created) and company CO-9 (linked)",
            ),
            (
                {
                    "conversions": [
                        made(
                            targets=[COMPANY, CONTACT, DEAL],
                            linked=[COMPANY],
                            merged=[CONTACT],
                            rule="r-1",
                            reason="won",
                        )
                    ]
                },
                (
                    "u-7 converted it into company CO-9 (linked), contact C-3 (merged)"
                    " and deal D-5 (created) by rule 'r-1', reason: 'won'"
                ),
            ),
            (
                {"conversions": [made(supplement=True)]},
                "u-7 supplemented it with deal D-5 (created)",
            ),
            (
                {"conversions": [made(closing=False)]},
                "u-7 converted it into deal D-5 (created) and left it open",
            ),
        ],
    )
    def test_each_sort(self, values: Mapping[str, Any], sentence: str) -> None:
        """A person reads who did what, by which rule and why, in one line."""
        assert [sentence] == told(lead(**values))

    @pytest.mark.parametrize(
        ("how", "sentence"),
        [
            ("reversed", "u-8 took conversion L-7.1 back, reason: 'oops'"),
            ("reopened", "u-8 reopened it and kept what conversion L-7.1 made, reason: 'oops'"),
        ],
    )
    def test_what_was_taken_back(self, how: str, sentence: str) -> None:
        """What was taken back reads as what it was: with what was made, or without."""
        undone = taken_back(how, reason="oops")
        record = lead(conversions=[made(undone=undone, rule="r-1", reason="won")])
        assert [
            "u-7 converted it into deal D-5 (created) by rule 'r-1', reason: 'won'",
            sentence,
        ] == told(record)

    @pytest.mark.parametrize(
        ("at", "sentence"),
        [
            (AT, "2027-01-31 12:00 UTC: somebody created it"),
            (
                datetime(2027, 2, 1, 1, 30, 59, tzinfo=timezone(2 * HOUR)),
                "2027-01-31 23:30 UTC: somebody created it",
            ),
            (datetime(9, 1, 1, tzinfo=UTC), "0009-01-01 00:00 UTC: somebody created it"),
            (
                datetime(1, 1, 1, tzinfo=timezone(2 * HOUR)),
                "0001-01-01 00:00+02:00: somebody created it",
            ),
            (
                datetime(9999, 12, 31, 23, tzinfo=timezone(-2 * HOUR)),
                "9999-12-31 23:00-02:00: somebody created it",
            ),
        ],
    )
    def test_moments_are_told_in_utc(self, at: datetime, sentence: str) -> None:
        """All moments are told in one zone, but for those that it does not have."""
        [happening] = history(lead(created_at=at))
        assert sentence == str(happening)


class TestHappening:
    def test_a_move_as_data(self) -> None:
        """A program reads a move: the stages, who, why, and which rule."""
        step = moved("B", from_stage="A", actor_id="u-1", reason="called", rule="r-1")
        assert (
            Happening(
                what=Happened.MOVED,
                at=AT,
                actor_id="u-1",
                reason="called",
                rule="r-1",
                from_stage="A",
                to_stage="B",
            ),
        ) == history(lead(stage_history=[step]))

    def test_a_conversion_as_data(self) -> None:
        """A program reads which records were made, linked and merged, and then taken back."""
        every = [COMPANY, CONTACT, DEAL]
        undone = taken_back("reversed", AT + HOUR, reason="wrong")
        one = made(
            targets=every,
            linked=[COMPANY],
            merged=[CONTACT],
            reason="won",
            rule="r-1",
            undone=undone,
        )
        assert (
            Happening(
                what=Happened.CONVERTED,
                at=AT,
                actor_id="u-7",
                reason="won",
                rule="r-1",
                conversion="L-7.1",
                targets=(COMPANY, CONTACT, DEAL),
                linked=(COMPANY,),
                merged=(CONTACT,),
            ),
            Happening(
                what=Happened.REVERSED,
                at=AT + HOUR,
                actor_id="u-8",
                reason="wrong",
                conversion="L-7.1",
                targets=(COMPANY, CONTACT, DEAL),
                linked=(COMPANY,),
                merged=(CONTACT,),
            ),
        ) == history(lead(conversions=[one]))

    def test_through_json(self) -> None:
        """What happened can be kept as JSON, and is the same afterwards."""
        codec, undone = Codec(RULES), taken_back("reversed", reason="wrong")
        one = made(targets=[DEAL, COMPANY], linked=[COMPANY], undone=undone)
        for happening in history(lead(conversions=[one], stage_history=[moved("A")])):
            data = json.loads(json.dumps(codec.to_data(happening)))
            assert happening == codec.from_data(data, Happening)

    @pytest.mark.parametrize(
        ("facts", "what"),
        [
            ({}, Happened.CONVERTED),
            ({"closing": False}, Happened.STAGED),
            ({"supplement": True}, Happened.SUPPLEMENTED),
            ({"supplement": True, "closing": False}, Happened.SUPPLEMENTED),
        ],
    )
    def test_the_sorts_of_conversions(self, facts: Mapping[str, Any], what: Happened) -> None:
        """A conversion closes the lead, leaves it open, or makes more of it."""
        assert [what] == [one.what for one in history(lead(conversions=[made(**facts)]))]

    def test_a_naive_moment(self) -> None:
        """A moment says its time zone."""
        with pytest.raises(ValueError, match="a moment needs a time zone"):
            Happening(what="created", at=datetime(2027, 1, 31))  # noqa: DTZ001


class TestOrder:
    def test_within_one_moment(self) -> None:
        """Creation, moves in their order, conversions in theirs, undoings from the newest."""
        record = lead(
            created_at=AT,
            conversions=[
                made(1, closing=False, undone=taken_back("reversed")),
                made(2, undone=taken_back("reopened")),
                made(3),
            ],
            stage_history=[moved("NEW"), moved("B"), moved("A"), moved("DONE")],
        )
        assert [
            "created",
            "moved NEW",
            "moved B",
            "moved A",
            "moved DONE",
            "staged L-7.1",
            "converted L-7.2",
            "converted L-7.3",
            "reopened L-7.2",
            "reversed L-7.1",
        ] == kinds_of(record)

    def test_by_moment(self) -> None:
        """What happened first stands first, whatever it was and wherever it is kept."""
        record = lead(
            created_at=AT + 4 * HOUR,
            conversions=[
                made(1, AT, undone=taken_back("reversed", AT + 2 * HOUR)),
                made(2, AT + 3 * HOUR),
            ],
            stage_history=[moved("C", AT + 5 * HOUR), moved("B", AT + HOUR)],
        )
        assert [
            "converted L-7.1",
            "moved B",
            "reversed L-7.1",
            "converted L-7.2",
            "created",
            "moved C",
        ] == kinds_of(record)

    def test_moments_of_different_zones(self) -> None:
        """A clock that shows more may be earlier."""
        later = datetime(2027, 1, 31, 10, 0, tzinfo=timezone(-5 * HOUR))  # 15:00 UTC
        earlier = datetime(2027, 1, 31, 16, 0, tzinfo=timezone(3 * HOUR))  # 13:00 UTC
        record = lead(stage_history=[moved("B", later), moved("A", earlier)])
        assert ["moved A", "moved B"] == kinds_of(record)

    def test_one_moment_in_two_zones(self) -> None:
        """One moment told by two clocks is one: the order within it holds."""
        elsewhere = AT.astimezone(timezone(3 * HOUR))
        record = lead(conversions=[made(at=elsewhere)], stage_history=[moved("DONE")])
        assert ["moved DONE", "converted L-7.1"] == kinds_of(record)

    def test_the_hour_that_comes_twice(self) -> None:
        """When clocks are put back, 02:10 of the second time comes after 02:30 of the first."""
        zone = Folding()
        first = datetime(2027, 10, 31, 2, 30, tzinfo=zone)
        second = datetime(2027, 10, 31, 2, 10, tzinfo=zone, fold=1)
        record = lead(stage_history=[moved("B", second), moved("A", first)])
        assert ["moved A", "moved B"] == kinds_of(record)

    def test_the_ends_of_time(self) -> None:
        """The first and the last moment there are have their order, though UTC has them not."""
        last = datetime.max.replace(tzinfo=timezone(-2 * HOUR))
        first = datetime.min.replace(tzinfo=timezone(2 * HOUR))
        record = lead(stage_history=[moved("B", last), moved("A", first)])
        assert ["moved A", "moved B"] == kinds_of(record)


@attrs.frozen(kw_only=True)
class Visit:
    """A class of one's own that remembers its stages, and keeps something else by a known name."""

    id: str
    revision: str | None = None
    custom: Mapping[str, object] = attrs.field(factory=dict)
    created_at: str = "long ago"
    created_by_id: int = 5
    conversions: int = 3
    stage_history: tuple[object, ...] = ()


class TestRecords:
    def test_no_history(self) -> None:
        """Of a record that keeps none there is none."""
        assert () == history(lead())
        assert () == history(lead(created_by_id="u-1"))
        assert () == history(Contact(id="C-3"))
        assert () == history(GenericRecord(kind="invoice", id="I-1"))

    def test_a_deal(self) -> None:
        """A deal moves as well."""
        steps = [moved("NEW", actor_id="u-1"), moved("WON", from_stage="NEW", actor_id="u-1")]
        assert ["u-1 put it into 'NEW'", "u-1 moved it from 'NEW' to 'WON'"] == told(
            Deal(id="D-5", stage_history=steps)
        )

    def test_a_record_of_fields_alone(self) -> None:
        """What is defined by fields alone may keep the same history."""
        values = {"created_at": AT, "created_by_id": "u-1", "stage_history": [moved("NEW")]}
        invoice = GenericRecord(kind="invoice", id="I-1", custom=values)
        assert ["u-1 created it", "somebody put it into 'NEW'"] == told(invoice)

    def test_a_class_of_ones_own(self) -> None:
        """What is kept by a known name and is something else is passed over."""
        visit = Visit(id="V-1", stage_history=("arrived", moved("DONE")))
        assert ["somebody put it into 'DONE'"] == told(visit)

    def test_an_unknown_creator(self) -> None:
        """Whoever created it is known by an id or not at all."""
        values = {"created_at": AT, "created_by_id": 5}
        invoice = GenericRecord(kind="invoice", id="I-1", custom=values)
        assert ["somebody created it"] == told(invoice)

    def test_created_at_a_naive_moment(self) -> None:
        """Nobody can say where it belongs."""
        naive = datetime(2027, 1, 31)  # noqa: DTZ001
        invoice = GenericRecord(kind="invoice", id="I-1", custom={"created_at": naive})
        with pytest.raises(ValueError, match="a moment needs a time zone"):
            history(invoice)

    def test_a_lead_that_was_converted(self) -> None:
        """What the library itself writes into a lead reads as it went."""
        new = Lead(id="L-7", stage="NEW", title="Enquiry", created_at=AT, created_by_id="u-1")
        working = advance(new, "IN_PROCESS", rules=RULES, actor=ADA, at=AT + HOUR)
        done = convert(working.lead, ["deal"], rules=RULES, actor=ADA, at=AT + 2 * HOUR)
        assert [
            "2027-01-31 12:00 UTC: u-1 created it",
            "2027-01-31 13:00 UTC: u-7 moved it from 'NEW' to 'IN_PROCESS'",
            "2027-01-31 14:00 UTC: u-7 moved it from 'IN_PROCESS' to 'CONVERTED'",
            "2027-01-31 14:00 UTC: u-7 converted it into deal L-7.1.deal.1 (created)",
        ] == [str(happening) for happening in history(done.lead)]

    def test_no_data_of_clients(self) -> None:
        """Whoever may read the history reads refs, and nothing of whom they mean."""
        secret = Lead(id="L-7", stage="NEW", title="Secret", last_name="Lovelace")
        done = convert(secret, ["contact", "deal"], rules=RULES, actor=ADA, at=AT).lead
        text = repr(history(done)) + "".join(map(str, history(done)))
        assert [] == [word for word in ("Secret", "Lovelace") if word in text]


# -- whatever a lead remembers --------------------------------------------------------------------

#: Few moments, told in several zones, so that many happen at once.
AT_ONCE: Final = st.builds(
    lambda hours, zone: (AT + hours * HOUR).astimezone(timezone(zone * HOUR)),
    st.integers(0, 3),
    st.integers(-12, 12),
)


def whenever() -> SearchStrategy[datetime]:
    """Draw moments that often fall together."""
    return AT_ONCE | moments()


def undoings() -> SearchStrategy[Undone | None]:
    """Draw whether a conversion was taken back, and when."""
    hows = st.sampled_from(["reversed", "reopened"])
    return st.none() | st.builds(taken_back, hows, whenever(), reason=st.none() | st.text())


@st.composite
def leads(draw: st.DrawFn) -> Lead:
    """Draw leads with any history, in any order."""
    drawn = st.tuples(whenever(), st.booleans(), st.booleans(), undoings())
    conversions = [
        made(number, at, closing=closing, supplement=supplement, undone=undone)
        for number, (at, closing, supplement, undone) in enumerate(
            draw(st.lists(drawn, max_size=4)), 1
        )
    ]
    steps = draw(st.lists(st.builds(moved, st.sampled_from("ABC"), whenever()), max_size=4))
    created_at = draw(st.none() | whenever())
    return lead(conversions=conversions, stage_history=steps, created_at=created_at)


def facts_of(record: Lead) -> Iterable[datetime]:
    """Yield the moment of everything that a lead remembers."""
    yield from [] if record.created_at is None else [record.created_at]
    yield from (step.at for step in record.stage_history)
    for conversion in record.conversions:
        yield conversion.at
        yield from [] if conversion.undone is None else [conversion.undone.at]


class TestLaws:
    @given(record=leads())
    def test_as_many_as_there_are_facts_in_order(self, record: Lead) -> None:
        """Everything a lead remembers happened once, and what is earlier stands before."""
        found = [one.at for one in history(record)]
        assert sorted(facts_of(record)) == found

    @given(record=leads())
    def test_nothing_is_undone_before_it_is_done(self, record: Lead) -> None:
        """Where the clocks agree, what was taken back stands after what was made."""
        seen: set[str | None] = set()
        for one in history(record):
            if one.what in {Happened.REVERSED, Happened.REOPENED}:
                [entry] = [made for made in record.conversions if made.id == one.conversion]
                assert one.conversion in seen or one.at < entry.at
            seen.add(one.conversion)

    @given(record=leads())
    def test_one_line_each(self, record: Lead) -> None:
        """Each has its sentence, and each its own line."""
        assert all(str(one).isprintable() for one in history(record))
