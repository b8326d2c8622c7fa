"""What a lead became and is bound to, and which of its product lines are left to take."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import pytest

from leadconvert import (
    Conversion,
    ConversionRules,
    Create,
    Deal,
    Draft,
    Field,
    FieldMapping,
    Find,
    Known,
    Lead,
    Link,
    Merge,
    Mode,
    Pipeline,
    Policy,
    Product,
    Record,
    Ref,
    Stage,
    Target,
    Trace,
    TraceStep,
    Undone,
)
from leadconvert.carrying import mapped
from leadconvert.earlier import Earlier, bound_ids
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.linking import there


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
UNDONE: Final = Undone(how="reversed", at=AT, actor_id="u-7")
OWN: Final = attrs.evolve(
    LEAD,
    custom=[
        Field("partner_id", "reference", to="contact"),
        Field("extras", "product", multiple=True),
        Field("gift", "product"),
    ],
)
LIKE: Final = attrs.evolve(
    DEAL, custom=[Field("extras", "product", multiple=True), Field("gift", "product")]
)
RULES: Final = ConversionRules(
    lead=OWN,
    kinds=[CONTACT, COMPANY, LIKE],
    pipelines=[
        Pipeline("leads", "lead", ["new", Stage("done", "success")]),
        Pipeline("sales", "deal", ["open", Stage("won", "success")]),
    ],
    mappings=[FieldMapping("title", "deal"), FieldMapping("products", "deal")],
    policy=Policy.allow_all(),
)

C1, C2, C3, C4 = (Ref("contact", f"C-{number}") for number in range(1, 5))
CO1, D1, D2, D3 = Ref("company", "CO-1"), *(Ref("deal", f"D-{number}") for number in range(1, 4))
SEATS: Final = Product(name="Seat", price=10, quantity=5)
DESK: Final = Product(name="Desk", price=50)
NEW: Final = Lead(id="L-7", stage="new", products=[SEATS, DESK])


def made(*targets: Ref, number: int = 1, **others: Any) -> Conversion:  # noqa: ANN401
    """A conversion that left the lead open, unless told otherwise."""
    given: dict[str, Any] = {"closing": False, **others}
    return Conversion(
        id=f"L-7.{number}", at=AT, actor_id="u-7", targets=targets, rules="9f2c", **given
    )


def earlier(
    *conversions: Conversion,
    lead: Lead = NEW,
    mode: Mode = Mode.CONVERT,
    merged: Iterable[tuple[Ref, Ref]] = (),
    traces: Iterable[Trace] = (),
    rules: ConversionRules = RULES,
) -> Earlier:
    """What is asked of a lead with these conversions."""
    return Earlier(
        lead=attrs.evolve(lead, conversions=conversions),
        rules=rules,
        known=Known(merged=merged, traces=traces),
        mode=mode,
    )


def seats(quantity: int) -> Product:
    """So many seats."""
    return attrs.evolve(SEATS, quantity=quantity)


def draft(ref: Ref, *products: Product, **values: object) -> Draft:
    """What is decided of one target: its products, if it gets any."""
    given = {"products": products} if products else {}
    return Draft(target=0, ref=ref, name="deal 1", values={**given, **values})


def left(
    asked: Earlier,
    *known: Record,
    drafts: Iterable[Draft] = (),
    others: Iterable[Target] = (),
) -> dict[str, int]:
    """Which lines of the lead are left for a deal, and how much of each."""
    rules = asked.rules
    lead = asked.left(LIKE, mapped(rules, "deal"), there(rules, known), drafts, others)
    return {one.name: int(one.quantity) for one in lead.products}


class TestBecame:
    def test_the_records_of_a_kind_in_order(self) -> None:
        """Every record of the kind, as it was made, however many conversions there were."""
        asked = earlier(made(CO1, C2), made(C1, D1, number=2), made(C2, number=3))
        assert ("C-2", "C-1") == asked.became("contact")
        assert ("CO-1",) == asked.became("company")
        assert ("D-1",) == asked.became("deal")
        assert () == asked.became("lead")

    def test_linked_and_merged_ones_too(self) -> None:
        """A record that had existed is what the lead became as well."""
        asked = earlier(made(C1, C2, linked=[C1], merged=[C2]))
        assert ("C-1", "C-2") == asked.became("contact")

    def test_undone_counts_for_nothing(self) -> None:
        """What was taken back the lead did not become."""
        asked = earlier(made(C1, undone=UNDONE), made(C2, number=2))
        assert ("C-2",) == asked.became("contact")

    def test_whoever_survived(self) -> None:
        """A record that was merged away is the one that survived, through several merges."""
        asked = earlier(made(C1, C2), merged=[(C3, C4), (C1, C3)])
        assert ("C-4", "C-2") == asked.became("contact")

    def test_two_that_were_merged_are_one(self) -> None:
        """Two records that are one by now count once."""
        assert ("C-2",) == earlier(made(C1, C2), merged=[(C1, C2)]).became("contact")

    def test_a_circle_of_merges_names_no_survivor(self) -> None:
        """Records merged into each other stay who they were."""
        assert ("C-1",) == earlier(made(C1), merged=[(C1, C2), (C2, C1)]).became("contact")

    def test_what_no_store_has_yet(self) -> None:
        """A record that is about to be made counts under its id."""
        asked = earlier(made(attrs.evolve(C1, provisional=True)))
        assert ("C-1",) == asked.became("contact")

    def test_of_a_converted_lead_only_for_a_supplement(self) -> None:
        """To convert twice is refused; what a lead became matters to a supplement alone."""
        assert () == earlier(made(C1, closing=True)).became("contact")
        asked = earlier(made(C1, closing=True), mode=Mode.SUPPLEMENT)
        assert ("C-1",) == asked.became("contact")

    def test_an_undone_closing_closes_nothing(self) -> None:
        """After the closing conversion was taken back, the earlier ones count again."""
        asked = earlier(made(C1), made(D1, number=2, closing=True, undone=UNDONE))
        assert ("C-1",) == asked.became("contact")
        assert () == asked.became("deal")


class TestMeant:
    def test_earlier_ones_then_those_it_is_bound_to(self) -> None:
        """A plain name means what the lead became first, and whom it belongs to after."""
        lead = attrs.evolve(NEW, contact_ids=["C-3", "C-1"], custom={"partner_id": "C-4"})
        asked = earlier(made(C1), lead=lead)
        assert ("C-1", "C-3", "C-4") == asked.meant(CONTACT)

    def test_nobody(self) -> None:
        """A lead that became nothing and belongs to nobody means nobody."""
        assert () == earlier().meant(CONTACT)

    def test_those_it_is_bound_to_survived_too(self) -> None:
        """A client the lead is bound to may have been merged away as well."""
        lead = attrs.evolve(NEW, contact_ids=["C-1", "C-2"])
        assert ("C-2",) == earlier(lead=lead, merged=[(C1, C2)]).meant(CONTACT)

    def test_the_earlier_deal_of_a_lead_that_is_open(self) -> None:
        """In stages a name means what an earlier stage made, of whatever kind."""
        assert ("D-1",) == earlier(made(D1)).meant(LIKE)

    def test_more_of_what_it_cannot_be_bound_to(self) -> None:
        """A supplement makes another deal, but no other client."""
        asked = earlier(made(C1, CO1, D1, closing=True), mode=Mode.SUPPLEMENT)
        assert () == asked.meant(LIKE)
        assert ("C-1",) == asked.meant(CONTACT)
        assert ("CO-1",) == asked.meant(COMPANY)

    def test_clients_are_what_the_lead_refers_to(self) -> None:
        """Whether there is one of a kind is said by the lead's fields, not by its name."""
        knows_deals = attrs.evolve(OWN, custom=[Field("deal_id", "reference", to="deal")])
        rules = attrs.evolve(RULES, lead=knows_deals, mappings=(), transforms={}, mergers={})
        asked = earlier(made(D1, closing=True), mode=Mode.SUPPLEMENT, rules=rules)
        assert ("D-1",) == asked.meant(LIKE)


class TestPointing:
    def test_survivors_in_place_of_the_bound(self) -> None:
        """Wherever the lead points at somebody merged away, it points at the survivor."""
        lead = attrs.evolve(
            NEW, contact_ids=["C-1", "C-3"], company_id="CO-1", custom={"partner_id": "C-1"}
        )
        now = earlier(lead=lead, merged=[(C1, C2), (CO1, Ref("company", "CO-2"))]).pointing()
        assert (("C-2", "C-3"), "CO-2") == (now.contact_ids, now.company_id)
        assert {"partner_id": "C-2"} == dict(now.custom)

    def test_two_that_were_merged_are_one(self) -> None:
        """Two who are one by now stand there once, where the first of them stood."""
        lead = attrs.evolve(NEW, contact_ids=["C-1", "C-3", "C-2"])
        assert ("C-2", "C-3") == earlier(lead=lead, merged=[(C1, C2)]).pointing().contact_ids

    def test_a_kind_of_its_own(self) -> None:
        """A company is not merged with a contact of the same id."""
        lead = attrs.evolve(NEW, company_id="C-1")
        assert "C-1" == earlier(lead=lead, merged=[(C1, C2)]).pointing().company_id

    @pytest.mark.parametrize("merged", [[], [(C1, C2)]])
    def test_whoever_points_at_nobody(self, merged: list[tuple[Ref, Ref]]) -> None:
        """A lead that belongs to nobody stays as it is."""
        assert NEW == earlier(merged=merged).pointing()

    def test_several_where_one_belongs_stay_several(self) -> None:
        """What is wrong with a field of data is not made right by leaving some of it out."""
        lead = attrs.evolve(NEW, custom={"partner_id": ["C-1", "C-3"]})
        now = earlier(lead=lead, merged=[(C1, C2)]).pointing()
        assert {"partner_id": ("C-2", "C-3")} == dict(now.custom)


class TestLeft:
    def test_all_at_first(self) -> None:
        """Of a lead that became nothing all lines are left."""
        assert {"Seat": 5, "Desk": 1} == left(earlier())

    def test_what_earlier_deals_have(self) -> None:
        """What deals of earlier conversions hold by now is not left."""
        deals = Deal(id="D-1", products=[seats(2)]), Deal(id="D-2", products=[seats(1), DESK])
        assert {"Seat": 2} == left(earlier(made(D1), made(D2, number=2)), *deals)

    def test_a_deal_that_is_gone_took_nothing(self) -> None:
        """What is not handed over holds no lines."""
        assert {"Seat": 5, "Desk": 1} == left(earlier(made(D1)))

    def test_another_kind_took_nothing(self) -> None:
        """Only records of the kind that is made now count."""
        assert {"Seat": 5, "Desk": 1} == left(
            earlier(made(D1)), Lead(id="D-1", stage="new", products=[SEATS])
        )
        deal = Deal(id="D-1", products=[SEATS])
        assert {"Seat": 5, "Desk": 1} == left(earlier(made(Ref("contact", "D-1"))), deal)

    def test_a_stranger_took_nothing(self) -> None:
        """A deal that the lead did not become has lines of its own."""
        assert {"Seat": 5, "Desk": 1} == left(earlier(), Deal(id="D-1", products=[SEATS]))

    def test_a_linked_deal_took_nothing(self) -> None:
        """A record that was only linked got nothing of the lead."""
        deal = Deal(id="D-1", products=[SEATS])
        assert {"Seat": 5, "Desk": 1} == left(earlier(made(D1, linked=[D1])), deal)

    def test_an_undone_conversion_took_nothing(self) -> None:
        """What was taken back is free again, even if its deal is still there."""
        deal = Deal(id="D-1", products=[SEATS])
        assert {"Seat": 5, "Desk": 1} == left(earlier(made(D1, undone=UNDONE)), deal)

    def test_the_survivor_of_a_deal(self) -> None:
        """The lines of a deal that was merged away are those of the survivor."""
        deal = Deal(id="D-2", products=[seats(3)])
        assert {"Seat": 2, "Desk": 1} == left(earlier(made(D1), merged=[(D1, D2)]), deal)

    def test_two_deals_merged_into_one_count_once(self) -> None:
        """The lines of one record are subtracted once, however many it was."""
        asked = earlier(made(D1), made(D2, number=2), merged=[(D1, D2)])
        assert {"Seat": 2, "Desk": 1} == left(asked, Deal(id="D-2", products=[seats(3)]))

    def test_nothing_is_left(self) -> None:
        """Whoever comes when all is taken gets nothing."""
        assert {} == left(earlier(made(D1)), Deal(id="D-1", products=[SEATS, DESK]))

    def test_in_this_conversion(self) -> None:
        """What a target before took is not left for the next; what it had stays its own."""
        assert {"Seat": 3, "Desk": 1} == left(earlier(), drafts=[draft(D1, seats(2))])
        own = Deal(id="D-1", products=[seats(2)])
        assert {"Seat": 5} == left(earlier(), own, drafts=[draft(D1, seats(2), DESK)])
        assert {"Seat": 5, "Desk": 1} == left(earlier(), drafts=[draft(D1, title="x")])
        assert {"Seat": 5, "Desk": 1} == left(earlier(), drafts=[draft(C1, SEATS)])

    def test_more_for_a_deal_that_has_some_already(self) -> None:
        """What an earlier deal gets on top counts beside what it had."""
        deal = Deal(id="D-1", products=[seats(2)])
        drafts = [draft(D1, seats(2), DESK)]
        assert {"Seat": 3} == left(earlier(made(D1)), deal, drafts=drafts)

    def test_supplied_to_one_that_is_yet_to_come(self) -> None:
        """What a person gives to a later target is not left for this one."""
        lines = {"products": [seats(2)]}
        assert {"Seat": 3, "Desk": 1} == left(earlier(), others=[Create("deal", values=lines)])
        assert {"Seat": 3, "Desk": 1} == left(earlier(), others=[Find("deal", values=lines)])
        assert {"Seat": 5, "Desk": 1} == left(earlier(), others=[Create("deal")])
        assert {"Seat": 5, "Desk": 1} == left(earlier(), others=[Create("company", values=lines)])

    def test_supplied_to_one_that_exists(self) -> None:
        """Of what a person gives to a record that exists, its own lines do not count."""
        own = Deal(id="D-1", products=[seats(2)])
        merge = Merge("deal", "D-1", values={"products": [seats(2), DESK]})
        assert {"Seat": 5} == left(earlier(), own, others=[merge])
        assert {"Seat": 3} == left(earlier(), others=[merge])
        assert {"Seat": 5, "Desk": 1} == left(earlier(), own, others=[Link("deal", "D-1")])

    def test_one_line_supplied(self) -> None:
        """One line where several may be is a line as well."""
        one = Create("deal", values={"products": seats(2)})
        assert {"Seat": 3, "Desk": 1} == left(earlier(), others=[one])

    def test_nonsense_supplied(self) -> None:
        """What is no product line takes nothing; it is refused elsewhere."""
        for nonsense in ("x", ["x"], None, []):
            target = Create("deal", values={"products": nonsense})
            assert {"Seat": 5, "Desk": 1} == left(earlier(), others=[target])

    def test_a_field_is_its_own(self) -> None:
        """Lines of one field are subtracted from what is mapped into that field alone."""
        more = [FieldMapping("extras", "deal"), FieldMapping("gift", "deal")]
        rules = attrs.evolve(RULES, mappings=[*RULES.mappings, *more], transforms={}, mergers={})
        lead = attrs.evolve(NEW, custom={"extras": [SEATS], "gift": DESK})
        asked = earlier(made(D1), lead=lead, rules=rules)
        deal = Deal(id="D-1", products=[DESK], custom={"extras": [seats(2)], "gift": DESK})
        found = asked.left(LIKE, mapped(rules, "deal"), there(rules, [deal]))
        assert ((SEATS,), (seats(3),)) == (found.products, found.custom["extras"])
        assert DESK == found.custom["gift"]  # one product is no list of lines

    def test_a_field_nobody_described(self) -> None:
        """A field of data that no kind describes holds no lines."""
        lead = attrs.evolve(NEW, custom={"UF_X": [SEATS]})
        mappings = {"products": FieldMapping("UF_X", "deal", "products")}
        found = earlier(made(D1), lead=lead).left(
            LIKE, mappings, {D1: Deal(id="D-1", products=[SEATS])}
        )
        assert (SEATS,) == found.custom["UF_X"]

    def test_nothing_but_lines_and_references_is_another(self) -> None:
        """All else of the lead is as it is."""
        lead = attrs.evolve(NEW, title="Engine", contact_ids=["C-1"], amount=5, currency="EUR")
        asked = earlier(made(D1), lead=lead, merged=[(C1, C2)])
        found = asked.left(LIKE, mapped(RULES, "deal"), {D1: Deal(id="D-1", products=[SEATS])})
        expected = attrs.evolve(asked.lead, contact_ids=["C-2"], products=[DESK])
        assert expected == found

    def test_without_lines_to_carry_the_lead_is_the_same(self) -> None:
        """Where no lines are mapped there is nothing to subtract."""
        asked = earlier(made(D1))
        assert asked.lead is asked.left(CONTACT, {}, {D1: Deal(id="D-1", products=[SEATS])})


class TestOwnLines:
    """What a deal had before the lead was merged into it, as the traces tell."""

    @staticmethod
    def trace(before: Mapping[str, object], number: int = 1, ref: Ref = D1) -> Trace:
        """The trace of a conversion that merged into a deal."""
        step = TraceStep(ref=ref, action="merged", before=before)
        other = TraceStep(ref=C1, action="merged", before={"products": [SEATS]})
        return Trace(id=f"L-7.{number}", steps=[other, step])

    def test_they_do_not_count(self) -> None:
        """Only what came on top was taken of the lead."""
        deal = Deal(id="D-1", products=[seats(3), DESK])
        asked = earlier(made(D1, merged=[D1]), traces=[self.trace({"products": [seats(2)]})])
        assert {"Seat": 4} == left(asked, deal)

    def test_where_no_lines_were_written_none_was_taken(self) -> None:
        """A deal that kept its own lines took none."""
        deal = Deal(id="D-1", products=[SEATS])
        asked = earlier(made(D1, merged=[D1]), traces=[self.trace({"title": None})])
        assert {"Seat": 5, "Desk": 1} == left(asked, deal)

    def test_without_a_trace_all_count(self) -> None:
        """Where nobody knows what was there before, nothing is carried twice."""
        deal = Deal(id="D-1", products=[SEATS])
        assert {"Desk": 1} == left(earlier(made(D1, merged=[D1])), deal)
        other = self.trace({"title": None}, number=2)
        assert {"Desk": 1} == left(earlier(made(D1, merged=[D1]), traces=[other]), deal)

    def test_of_what_was_made_here_all_count(self) -> None:
        """A deal that an earlier conversion made, and a later one merged into, had no own lines."""
        deal = Deal(id="D-1", products=[seats(3)])
        asked = earlier(
            made(D1), made(D1, number=2, merged=[D1]), traces=[self.trace({"title": None}, 2)]
        )
        assert {"Seat": 2, "Desk": 1} == left(asked, deal)

    def test_the_first_of_several_merges_knows(self) -> None:
        """What stood there before the first that wrote lines was the deal's own."""
        deal = Deal(id="D-1", products=[seats(4), DESK])
        traces = [
            self.trace({"title": None}, 1),
            self.trace({"products": [seats(1)]}, 2),
            self.trace({"products": [seats(4)]}, 3),
        ]
        merges = [made(D1, number=number, merged=[D1]) for number in (1, 2, 3)]
        assert {"Seat": 2} == left(earlier(*merges, traces=traces), deal)

    def test_a_link_before_or_after_tells_nothing(self) -> None:
        """A conversion that only linked the deal wrote no lines, and needs no trace."""
        deal = Deal(id="D-1", products=[seats(3)])
        asked = earlier(
            made(D1, linked=[D1]),
            made(D1, number=2, merged=[D1]),
            traces=[self.trace({"products": [seats(2)]}, 2)],
        )
        assert {"Seat": 4, "Desk": 1} == left(asked, deal)

    def test_of_a_deal_that_was_merged_away(self) -> None:
        """The trace of a deal that is another one by now tells all the same."""
        deal = Deal(id="D-2", products=[seats(3)])
        asked = earlier(
            made(D1, merged=[D1]),
            merged=[(D1, D2)],
            traces=[self.trace({"products": [seats(2)]})],
        )
        assert {"Seat": 4, "Desk": 1} == left(asked, deal)

    def test_an_undone_merge_tells_nothing(self) -> None:
        """What a conversion found that was taken back is no longer what stood there."""
        deal = Deal(id="D-1", products=[seats(3)])
        asked = earlier(
            made(D1, merged=[D1], undone=UNDONE),
            made(D1, number=2, merged=[D1]),
            traces=[
                self.trace({"products": [seats(3)]}, 1),
                self.trace({"products": [seats(1)]}, 2),
            ],
        )
        assert {"Seat": 3, "Desk": 1} == left(asked, deal)


class TestTraced:
    def test_conversions_that_merged_into_such_records(self) -> None:
        """The traces to load are those of conversions that merged lines into records of a kind."""
        asked = earlier(
            made(D1),
            made(D2, number=2, merged=[D2]),
            made(C1, D3, number=3, merged=[C1], linked=[D3]),
            made(D3, number=4, merged=[D3], undone=UNDONE),
            made(D1, number=5, merged=[D1]),
        )
        assert ("L-7.2", "L-7.5") == asked.traced(LIKE)

    def test_kinds_without_lines_need_none(self) -> None:
        """A contact holds no product lines, so it does not matter what it had before."""
        assert () == earlier(made(C1, merged=[C1])).traced(CONTACT)


class TestBoundIds:
    def test_in_the_order_of_the_fields(self) -> None:
        """Whom a lead is bound to, by every field that refers to such records."""
        lead = attrs.evolve(NEW, contact_ids=["C-3", "C-4"], custom={"partner_id": "C-1"})
        assert ("C-3", "C-4", "C-1") == bound_ids(lead, OWN, CONTACT)
        assert () == bound_ids(lead, OWN, COMPANY)
        assert () == bound_ids(lead, OWN, LIKE)
