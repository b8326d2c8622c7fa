"""What a store promises about the values it keeps."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadconvert import (
    Address,
    Channel,
    Contact,
    Conversion,
    Deal,
    GenericRecord,
    Insert,
    Kind,
    Lead,
    Product,
    Record,
    Ref,
    StageChange,
    Undone,
    Update,
)
from leadconvert.errors import UnfitValueError
from leadconvert.kinds import DEAL
from leadconvert.testing._contract_bench import AT, Bench, Subject, benched, same, told, unchanged
from leadconvert.testing._contract_rules import RULES, Visit
from leadconvert.testing._contract_samples import CUSTOM, DECIMALS, MOMENTS, STRANGE, TEXTS, full
from leadconvert.testing.plain import values


__all__ = ["Keeping"]


def _kept(bench: Bench, record: Record, promise: str) -> None:
    """Fail unless *record* comes back as it was stored."""
    ref = bench.put_one(record)
    _is(bench.record(ref), told(record), promise)


def _is(record: Record, expected: Mapping[str, object], promise: str) -> None:
    """Fail unless *record* says just what is *expected*."""
    actual = told(record)
    for name in sorted({*expected, *actual}):
        same(expected.get(name), actual.get(name), f"{promise} ({name})")


class Keeping(Subject):
    """Whatever is written comes back as it was written."""

    def test_records_of_every_kind_come_back(self) -> None:
        """A record of each kind comes back with all it said, be it data or a class of one's own."""
        with benched(self) as bench:
            for record in full():
                _kept(bench, record, "a record comes back as it was stored")

    def test_custom_fields_of_every_type_come_back(self) -> None:
        """Custom fields hold values of their own type, one or several."""
        with benched(self) as bench:
            deal = Deal(id="D-1", title="Engine", custom=CUSTOM)
            _kept(bench, deal, "custom fields come back as they were stored")
            ref = bench.put_one(Deal(id="D-2", title="Engine"))
            bench.update(ref, CUSTOM)
            _is(
                bench.record(ref),
                {"title": "Engine", **CUSTOM},
                "custom fields come back as they were changed",
            )

    def test_text_comes_back_letter_by_letter(self) -> None:
        """Any script, emoji, blanks, quotes and what looks like code is held as it is."""
        with benched(self) as bench:
            for number, text in enumerate(TEXTS):
                deal = Deal(id=f"D-{number}", title=text, tags=[text], custom={"UF_TEXT": text})
                _kept(bench, deal, "text comes back letter by letter")
            task = GenericRecord(kind="task", id="T-1", custom={"subject": TEXTS[2]})
            _kept(bench, task, "text comes back letter by letter")

    def test_strange_text_is_held_or_refused(self) -> None:
        """Text that a storage has no place for, such as a NUL, is refused and never mangled."""
        with benched(self) as bench:
            for text in STRANGE:
                for name in ("title", "UF_TEXT"):
                    _held_or_refused(bench, DEAL, {"title": "Engine", name: text})

    def test_amounts_are_exact(self) -> None:
        """Amounts come back to the last digit, and as Decimals."""
        with benched(self) as bench:
            for number, amount in enumerate(DECIMALS):
                line = Product(name="Engine", price=amount, quantity=amount)
                custom = {"UF_RATIO": amount, "UF_RATIOS": (amount, -amount)}
                deal = Deal(id=f"D-{number}", title="Engine", amount=amount, products=[line])
                _kept(bench, attrs.evolve(deal, custom=custom), "amounts are exact")

    def test_moments_are_the_same_moments(self) -> None:
        """Moments come back to the microsecond, and with a time zone."""
        with benched(self) as bench:
            for number, moment in enumerate(MOMENTS):
                lead = Lead(id=f"L-{number}", stage="NEW", created_at=moment)
                lead = attrs.evolve(lead, custom={"UF_MOMENT": moment})
                _kept(bench, lead, "moments are the same moments")
                ref = bench.put_one(Visit(id=f"V-{number}", place="London", starts_at=moment))
                found = bench.read(ref, "starts_at")
                zone = found.utcoffset() if isinstance(found, datetime) else None
                same(True, zone is not None, "moments come back with a time zone")

    def test_empty_is_not_missing(self) -> None:
        """Blank text, nought and False are values, and None is none."""
        with benched(self) as bench:
            for text in ("", " ", "\n"):
                values = {"title": text, "comments": text, "UF_TEXT": text, "UF_TAGS": (text, "a")}
                _written(bench, "deal", values, "blank text is not missing")
            naught = {"title": "x", "amount": Decimal(0), "opened": False, "UF_COUNT": 0}
            _written(bench, "deal", naught, "nought and False are not missing")
            missing = {"title": "x", "amount": None, "opened": None, "UF_COUNT": None}
            _written(bench, "deal", missing, "what is None stays None")
            place = {"title": "x", "address": Address(city="", street=None)}
            _written(bench, "deal", place, "an empty part of an address is not missing")
            emails = {"last_name": "x", "emails": (Channel("a@example.com", ""), Channel(""))}
            _written(bench, "contact", emails, "an empty channel is not missing")

    def test_what_is_not_given_is_as_the_class_says(self) -> None:
        """A field that an insert does not name has the default of its class; None is no default."""
        with benched(self) as bench:
            for hours, given in ((1, {}), (None, {"hours": None}), (0, {"hours": 0})):
                ref = bench.insert("visit", {"place": "London", **given})
                found = bench.read(ref, "hours")
                same(hours, found, "what is not given is as the class says")

    def test_lists_keep_their_order(self) -> None:
        """Channels, product lines, tags and links stand as they were written, twice if need be."""
        with benched(self) as bench:
            people = bench.put(*(Contact(id=f"C-{n}", last_name="x") for n in (1, 2, 3)))
            for number, order in enumerate(((2, 0, 1), (1, 2, 0), (0, 2, 1))):
                ids = [people[at].id for at in order]
                deal = Deal(id=f"D-{number}", title="Engine", contact_ids=ids, tags=["b", "a", "b"])
                deal = attrs.evolve(deal, custom={"UF_PARTNERS": tuple(ids[::-1])})
                _kept(bench, deal, "lists keep their order")
                ref = bench.put_one(attrs.evolve(deal, id=f"E-{number}"))
                bench.update(ref, {"contact_ids": people, "tags": ("c", "a")})
                links = [ref.id for ref in people]
                same(tuple(links), bench.read(ref, "contact_ids"), "an update keeps their order")
                same(("c", "a"), bench.read(ref, "tags"), "an update keeps their order")

    def test_history_comes_back(self) -> None:
        """What a lead remembers of its stages and conversions is kept whole and in order."""
        with benched(self) as bench:
            moves = (
                StageChange(to_stage="NEW", at=MOMENTS[0]),
                StageChange(
                    from_stage="NEW",
                    to_stage="WORK",
                    at=MOMENTS[1],
                    actor_id="u-1",
                    reason="said 'yes'",
                    rule="r-1",
                ),
            )
            deal, company = Ref("deal", "D-5"), Ref("company", "CO-9")
            undone = Undone(how="reversed", at=MOMENTS[2], actor_id="u-2", reason="")
            first = Conversion(
                id="L-1.1", at=AT, actor_id="u-1", targets=[deal, company], rules="9f2c"
            )
            second = attrs.evolve(
                first,
                id="L-1.2",
                linked=[company],
                merged=[deal],
                closing=False,
                supplement=True,
                reason="more",
                rule="r-1",
                undone=undone,
            )
            lead = Lead(id="L-1", stage="WORK", stage_history=moves, conversions=[first, second])
            _kept(bench, lead, "history comes back")
            ref = bench.put_one(Lead(id="L-2", stage="NEW"))
            history = {"stage_history": moves[::-1], "conversions": (second, first)}
            bench.update(ref, history)
            for name, expected in history.items():
                same(expected, bench.read(ref, name), "history comes back")

    def test_an_update_changes_only_what_it_names(self) -> None:
        """Every field that an update does not name stays as it was, and so do other records."""
        with benched(self) as bench:
            deal = next(one for one in full() if isinstance(one, Deal))
            ref, twin = bench.put(deal, attrs.evolve(deal, id="D-2"))
            named = {"title": "New", "UF_COUNT": 8, "tags": ("new",)}
            bench.update(ref, named)
            expected = told(deal) | named
            _is(bench.record(ref), expected, "an update changes only what it names")
            _is(bench.record(twin), told(deal), "an update changes no other record")

    def test_an_update_can_empty_a_field(self) -> None:
        """None and an empty list take away what was there."""
        with benched(self) as bench:
            deal = next(one for one in full() if isinstance(one, Deal))
            ref = bench.put_one(deal)
            named: dict[str, object] = dict.fromkeys(
                ("amount", "close_date", "opened", "address", "UF_MOMENT", "UF_PLACE")
            )
            named |= {"products": (), "tags": (), "UF_TAGS": ()}
            bench.update(ref, named)
            expected = {name: one for name, one in told(deal).items() if name not in named}
            _is(bench.record(ref), expected, "an update can empty a field")

    def test_a_value_that_no_field_holds_is_refused(self) -> None:
        """A value of another type than its field's is refused, not kept for a reader to trip on."""
        with benched(self) as bench:
            values = {"title": "Engine", "amount": "much"}
            asked = bench.changes(Insert(bench.new("deal"), values))
            bench.refused(asked, UnfitValueError, "a value that no field holds is refused")
            ref = bench.put_one(Deal(id="D-2", title="Engine"))
            asked = bench.changes(Update(ref, bench.revision(ref), {"close_date": 5}))
            bench.refused(asked, UnfitValueError, "a value that no field holds is refused")

    def test_any_values_are_held_or_refused(self) -> None:
        """Values drawn for every field come back as they were written, or are refused."""

        @settings(
            max_examples=self.examples,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(_drawn())
        def check(drawn: Mapping[Kind, Mapping[str, object]]) -> None:
            with benched(self) as bench:
                for kind, filled in drawn.items():
                    _held_or_refused(bench, kind, filled)

        check()


def _written(bench: Bench, kind: str, values: Mapping[str, object], promise: str) -> None:
    """Fail unless *values* come back, both inserted and changed to."""
    _is(bench.record(bench.insert(kind, values)), told(values), promise)
    bare = {"title": "bare"} if kind == "deal" else {"last_name": "bare"}
    ref = bench.insert(kind, bare)
    bench.update(ref, values)
    _is(bench.record(ref), told(bare | dict(values)), promise)


def _held_or_refused(bench: Bench, kind: Kind, values: Mapping[str, object]) -> None:
    """Fail unless a record comes back as it was inserted, or nothing of it was written."""
    before, promise = bench.world(), "what cannot be held is refused"
    try:
        ref = bench.insert(kind.id, values)
    except UnfitValueError:
        unchanged(before, bench.world(), promise)
        return
    _is(bench.record(ref), told(kind.build(ref.id, values)), promise)


@st.composite
def _drawn(draw: st.DrawFn) -> dict[Kind, dict[str, object]]:
    """Draw values for a few kinds, by field."""
    kinds = draw(st.lists(st.sampled_from(RULES.every_kind), min_size=1, max_size=2, unique=True))
    return {kind: draw(_filled(kind)) for kind in kinds}


def _filled(kind: Kind) -> st.SearchStrategy[dict[str, object]]:
    """Draw values for some fields of a kind: those it needs, and any others that do not refer."""
    needed = {"lead": {"stage": "NEW"}, "visit": {"place": "x"}}.get(kind.id, {})
    names = [name for name, field in kind.members.items() if field.to is None]
    some = st.lists(st.sampled_from(names), unique=True, max_size=6)
    return some.flatmap(
        lambda chosen: st.fixed_dictionaries(
            {name: values(kind.members[name], filled=name in needed) for name in {*needed, *chosen}}
        )
    )
