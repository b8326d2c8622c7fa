"""What reaches nothing: told, left in peace, refused, or kept in one place."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal

import attrs
import pytest

from leadconvert import (
    Actor,
    Channel,
    Contact,
    ConversionRules,
    Create,
    Deal,
    Field,
    FieldMapping,
    FrozenMap,
    Grant,
    Kind,
    Known,
    Lead,
    Leftovers,
    Link,
    Merge,
    Pipeline,
    Plan,
    Policy,
    Role,
    Stage,
    Target,
    convert,
    plan,
    presets,
    reverse,
)
from leadconvert.errors import DefinitionError, InvalidFieldsError
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD


AT = datetime(2027, 1, 31, tzinfo=UTC)
ADA = Actor("u-7", roles=["sales"])
BIG = Lead(
    id="L-7",
    stage="NEW",
    title="Engine",
    last_name="Lovelace",
    tags=["new", "big"],
    amount=Decimal(500),
    custom={"UF_X": "blue", "UF_FREE": 5},
)


def rules(**more: object) -> ConversionRules:
    """Rules that map a title and a name, and leave the rest undecided."""
    parts: dict[str, object] = {
        "lead": attrs.evolve(LEAD, custom=[Field("UF_X", "text", label="Colour")]),
        "kinds": [
            attrs.evolve(CONTACT, custom=[Field("UF_NOTES", "text", max_length=20)]),
            COMPANY,
            DEAL,
        ],
        "pipelines": [
            Pipeline("leads", "lead", ["NEW", Stage("DONE", "success")]),
            Pipeline("deals", "deal", ["NEW", Stage("WON", "success")]),
        ],
        "mappings": [FieldMapping("title", "deal"), FieldMapping("last_name", "contact")],
        "policy": Policy.allow_all(),
    }
    return ConversionRules(**parts | more)  # type: ignore[arg-type]


def planned(by: ConversionRules, *into: str | Target, lead: Lead = BIG) -> Plan:
    """Plan the conversion of a lead."""
    there = Known(records=[Contact(id="C-3", last_name="Byron", comments="old")])
    return plan(lead, into, rules=by, actor=ADA, at=AT, known=there)


def told(one: Plan) -> list[tuple[str | None, str | None, str, str | None]]:
    """What the explanation says of the lead's fields, in their order."""
    return [
        (row.field, row.target, row.outcome, row.reason)
        for row in one.explain()
        if row.field is not None
    ]


LOST = ["last_name", "amount", "tags", "UF_X", "UF_FREE"]


class TestReport:
    def test_by_default(self) -> None:
        """What reaches nothing is told, and asked about where it is a custom field."""
        found = planned(rules(), "deal")
        assert found.ok
        assert set(LOST) == {row.field for row in found.dropped}
        assert ["UF_X", "UF_FREE"] == [one.field for one in found.questions]


class TestDeclined:
    def test_for_all_that_is_made(self) -> None:
        """A custom field that was declined for each kind chosen is left behind, and not asked."""
        by = rules(declined={"UF_X": ["deal"]})
        lead = Lead(id="L-7", stage="NEW", title="x", last_name="y", custom={"UF_X": "blue"})
        found = planned(by, "deal", lead=lead)
        assert ["last_name"] == [row.field for row in found.dropped]
        assert () == found.questions
        assert ("UF_X", None, "left_behind", "declined", None) in found.explain()

    def test_for_some(self) -> None:
        """For a kind that it was not declined for it is asked about."""
        by = rules(declined={"UF_X": ["deal"]})
        lead = Lead(id="L-7", stage="NEW", title="x", last_name="y", custom={"UF_X": "blue"})
        found = planned(by, "deal", "contact", lead=lead)
        assert [("UF_X", "undecided")] == [(row.field, row.reason) for row in found.dropped]
        assert ["UF_X"] == [one.field for one in found.questions]
        linked = planned(by, Link("contact", "C-3"), lead=lead)
        assert "UF_X" in {row.field for row in linked.dropped}


class TestLenient:
    def test_left_in_peace(self) -> None:
        """Nothing is dropped and nobody asked; the explanation still says what stays behind."""
        found = planned(rules(losses="lenient"), "deal")
        assert ((), ()) == (found.dropped, found.questions)
        assert [
            ("title", "deal 1.title", "carried", None),
            ("amount", None, "left_behind", "no_mapping"),
            ("last_name", None, "left_behind", "no_target"),
            ("tags", None, "left_behind", "no_mapping"),
            ("UF_X", None, "left_behind", "undecided"),
            ("UF_FREE", None, "left_behind", "undecided"),
        ] == sorted(told(found), key=lambda row: (row[1] is None, _place(row[0])))
        assert () == found.result().dropped


def _place(name: str | None) -> int:
    order = ["title", "amount", "last_name", "tags", "UF_X", "UF_FREE"]
    return order.index(str(name))


class TestStrict:
    def test_refused(self) -> None:
        """Each value that would be lost is a problem of its own."""
        found = planned(rules(losses="strict"), "deal")
        assert {("would_drop", name) for name in LOST} == {
            (one.code, one.field) for one in found.problems
        }
        with pytest.raises(InvalidFieldsError, match="last_name of the lead would be lost"):
            convert(BIG, ["deal"], rules=rules(losses="strict"), actor=ADA, at=AT)

    def test_what_is_asked(self) -> None:
        """A custom field is asked about, and its answer saves it."""
        by = rules(losses="strict")
        lead = Lead(id="L-7", stage="NEW", title="Engine", custom={"UF_X": "blue"})
        found = planned(by, "deal", lead=lead)
        assert (["UF_X"], ["would_drop"]) == (
            [one.field for one in found.questions],
            [one.code for one in found.problems],
        )
        answered = plan(
            lead, ["deal"], rules=by, actor=ADA, at=AT, carry={"UF_X": {"deal": "comments"}}
        )
        assert answered.ok
        assert plan(lead, ["deal"], rules=by, actor=ADA, at=AT, carry={"UF_X": {}}).ok

    def test_what_is_left_on_purpose(self) -> None:
        """What a mapping leaves behind is not lost."""
        lead = Lead(id="L-7", stage="NEW", title="Engine", tags=["new"])
        by = rules(losses="strict")
        assert not planned(by, "deal", lead=lead).ok
        left = attrs.evolve(by, mappings=[*by.mappings, FieldMapping.leave("tags")])
        assert planned(left, "deal", lead=lead).ok

    def test_in_parts(self) -> None:
        """A lead that stays open loses nothing, and what went before counts when it closes."""
        lead = Lead(id="L-7", stage="NEW", title="Engine", last_name="Lovelace")
        by = rules(losses="strict")
        first = convert(lead, ["contact"], rules=by, actor=ADA, at=AT, closing=False)
        second = plan(
            first.lead, ["deal"], rules=by, actor=ADA, at=AT, known=Known(records=first.records)
        )
        assert second.ok
        assert ["title"] == [
            one.field
            for one in planned(by, "contact", lead=lead).problems
            if one.code == "would_drop"
        ]

    def test_what_is_hidden(self) -> None:
        """Of a field that the actor may not see they learn that something is wrong, no more."""
        lead_kind = attrs.evolve(LEAD, custom=[Field("UF_X", "text", sensitive=True)])
        by = rules(
            lead=lead_kind,
            losses="strict",
            policy=Policy(
                [Role("sales", [Grant("*", ["read", "create", "update", "convert", "move"])])]
            ),
        )
        lead = Lead(id="L-7", stage="NEW", title="Engine", custom={"UF_X": "blue"})
        found = planned(by, "deal", lead=lead)
        assert [("hidden", None)] == [(one.code, one.field) for one in found.problems]
        assert [("would_drop", "UF_X")] == [(one.code, one.field) for one in found.withheld]


class TestNotes:
    def test_a_block_of_lines(self) -> None:
        """What reaches nothing stands in a field as lines, by the labels people know."""
        found = planned(rules(leftovers=[Leftovers("deal", "comments")]), "deal")
        assert (
            "Amount: 500\nLast name: Lovelace\nTags: new, big\nColour: blue\nUF_FREE: 5"
            == "\n".join(sorted(str(found.result().deal.comments).split("\n"), key=_line))
        )
        assert () == found.dropped
        assert [("deal 1.comments", "carried", "leftovers")] * 5 == [
            row[1:] for row in told(found) if row[0] != "title"
        ]
        assert {"leftovers → deal.comments"} == {
            row.mapping for row in found.explain() if row.reason == "leftovers"
        }

    def test_below_what_stands_there(self) -> None:
        """A blank line stands between what is there, mapped or stored, and what is added."""
        lead = Lead(id="L-7", stage="NEW", last_name="Lovelace", comments="call", tags=["new"])
        by = rules(
            mappings=[FieldMapping("last_name", "contact"), FieldMapping("comments", "contact")],
            leftovers=[Leftovers("contact", "comments")],
        )
        made = planned(by, "contact", lead=lead).result()
        assert "call\n\nTags: new" == made.contact.comments
        merged = planned(by, Merge("contact", "C-3"), lead=lead).result()
        assert "old\n\nTags: new" == merged.contact.comments
        assert "merged" == merged.outcomes[0].action
        assert {"comments": "old"} == merged.outcomes[0].before

    def test_lines_that_go_on(self) -> None:
        """A value of several lines is set off, so that it cannot look like another field."""
        lead = Lead(id="L-7", stage="NEW", title="Engine", comments="a\nTags: none")
        by = rules(leftovers=[Leftovers("deal", "comments")])
        assert (
            "Comments: a\n    Tags: none" == planned(by, "deal", lead=lead).result().deal.comments
        )

    def test_too_long(self) -> None:
        """What does not fit is refused, or shortened where that is said."""
        lead = Lead(id="L-7", stage="NEW", last_name="Lovelace", tags=["a rather long tag"])
        refused = planned(rules(leftovers=[Leftovers("contact", "UF_NOTES")]), "contact", lead=lead)
        assert [("too_long", "contact", "UF_NOTES", 0)] == [
            (one.code, one.kind, one.field, one.target) for one in refused.problems
        ]
        assert ("tags", "contact 1.UF_NOTES", "refused", "leftovers") in told(refused)
        cut = Leftovers("contact", "UF_NOTES", overflow="shorten")
        found = planned(rules(leftovers=[cut]), "contact", lead=lead)
        assert "Tags: a rather long" == found.result().contact.custom["UF_NOTES"]

    def test_a_field_without_a_length(self) -> None:
        """There nothing is cut."""
        cut = Leftovers("deal", "comments", overflow="shorten")
        lead = Lead(id="L-7", stage="NEW", title="Engine", tags=["a rather long tag"])
        found = planned(rules(leftovers=[cut]), "deal", lead=lead)
        assert "Tags: a rather long tag" == found.result().deal.comments

    def test_nothing_left(self) -> None:
        """Where everything reaches something nothing is written."""
        lead = Lead(id="L-7", stage="NEW", title="Engine")
        found = planned(rules(leftovers=[Leftovers("deal", "comments")]), "deal", lead=lead)
        assert found.result().deal.comments is None

    def test_a_class_that_refuses_them(self) -> None:
        """Lines that the class of a record does not take are told, as all it refuses is."""
        back = Field("converted_from", "reference", to="lead", multiple=True)
        kind = Kind("terse", Terse, fields=[back])
        by = rules(
            kinds=[kind],
            pipelines=[Pipeline("leads", "lead", ["NEW", Stage("DONE", "success")])],
            mappings=[FieldMapping("title", "terse", "note")],
            leftovers=[Leftovers("terse", "note")],
        )
        plain = Lead(id="L-7", stage="NEW", title="Engine")
        assert planned(by, "terse", lead=plain).ok
        found = planned(by, "terse", lead=attrs.evolve(plain, tags=["new"]))
        assert [("constructor_failed", "terse", 0)] == [
            (one.code, one.kind, one.target) for one in found.problems
        ]


@attrs.frozen(kw_only=True)
class Terse:
    """A class that takes notes of one line."""

    id: str
    revision: str | None = None
    note: str | None = None
    converted_from: tuple[str, ...] = ()
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)

    def __attrs_post_init__(self) -> None:
        if self.note is not None and "\n" in self.note:
            raise LookupError(self.id)


def _line(line: str) -> int:
    return ["Amount", "Last name", "Tags", "Colour", "UF_FREE"].index(
        line.split(":", maxsplit=1)[0]
    )


class TestExtras:
    def test_as_they_are(self) -> None:
        """Without a field values are kept as they are, under the lead's kind and their names."""
        deal = planned(rules(leftovers=[Leftovers("deal")]), "deal").result().deal
        assert {
            "lead.last_name": "Lovelace",
            "lead.amount": Decimal(500),
            "lead.tags": ("new", "big"),
            "lead.UF_X": "blue",
            "lead.UF_FREE": 5,
        } == dict(deal.custom)

    def test_in_a_record_that_exists(self) -> None:
        """They are merged into one as any field is, and what stood there before is known."""
        by = rules(leftovers=[Leftovers("contact")])
        lead = Lead(id="L-7", stage="NEW", last_name="Lovelace", tags=["new"])
        result = planned(by, Merge("contact", "C-3"), lead=lead).result()
        assert {"lead.tags": ("new",)} == dict(result.contact.custom)
        assert {"lead.tags": None} == result.outcomes[0].before

    def test_in_one_place(self) -> None:
        """The first target of the first kind named gets them all, and no other any."""
        by = rules(leftovers=[Leftovers("company"), Leftovers("deal"), Leftovers("contact")])
        lead = Lead(id="L-7", stage="NEW", title="Engine", last_name="Lovelace", tags=["new"])
        result = planned(by, "contact", "deal", Create("deal"), lead=lead).result()
        first, second = result.all(Deal)
        assert {"lead.tags": ("new",)} == dict(first.custom)
        assert ({}, {}) == (dict(second.custom), dict(result.contact.custom))

    def test_not_in_a_link(self) -> None:
        """A record that is linked stays untouched: what is left is told."""
        by = rules(leftovers=[Leftovers("contact")])
        found = planned(by, Link("contact", "C-3"), "deal")
        assert {"amount", "last_name", "tags", "UF_X", "UF_FREE"} == {
            row.field for row in found.dropped
        }

    def test_hidden(self) -> None:
        """What is hidden on the lead stays hidden where it is kept."""
        by = rules(
            lead=attrs.evolve(LEAD, custom=[Field("UF_X", "text", sensitive=True)]),
            leftovers=[Leftovers("deal", "comments")],
            policy=Policy(
                [Role("sales", [Grant("*", ["read", "create", "update", "convert", "move"])])]
            ),
        )
        lead = Lead(id="L-7", stage="NEW", title="Engine", custom={"UF_X": "blue"})
        found = planned(by, "deal", lead=lead)
        assert "UF X: blue" == found.result().deal.comments
        [draft] = found.shown().targets
        assert "comments" not in draft.values
        assert "blue" not in repr(found.shown())

    def test_hidden_beside_others(self) -> None:
        """Of extras only those are hidden that are hidden on the lead, filled or not."""
        by = rules(
            lead=attrs.evolve(LEAD, custom=[Field("UF_X", "text", sensitive=True)]),
            leftovers=[Leftovers("deal")],
            policy=Policy(
                [Role("sales", [Grant("*", ["read", "create", "update", "convert", "move"])])]
            ),
        )
        for custom in ({}, {"UF_X": "blue"}):
            lead = Lead(id="L-7", stage="NEW", title="Engine", tags=["new"], custom=custom)
            [draft] = planned(by, "deal", lead=lead).shown().targets
            assert ("new",) == draft.values["lead.tags"]
            assert "lead.UF_X" not in draft.values

    def test_taken_back(self) -> None:
        """What was added to a record is taken away again with the rest."""
        by = rules(leftovers=[Leftovers("contact", "comments")])
        there = Contact(id="C-3", last_name="Byron", comments="old")
        made = convert(
            BIG, [Merge("contact", "C-3")], rules=by, actor=ADA, at=AT, known=Known(records=[there])
        )
        back = reverse(
            made.lead,
            rules=by,
            actor=ADA,
            at=AT,
            known=Known(records=made.records, traces=made.changes.traces),
        )
        [contact] = back.restored
        assert "old" == getattr(contact, "comments", None)


class TestMistakes:
    @pytest.mark.parametrize(
        ("kept", "expected"),
        [
            (
                [Leftovers("dael")],
                (
                    "leftovers → dael: there is no kind 'dael', did you mean 'deal'?"
                    " (correct the name)"
                ),
            ),
            (
                [Leftovers("deal", "coments")],
                (
                    "leftovers → deal.coments: there is no field of deal 'coments', did you mean"
                    " 'comments'? (correct the name)"
                ),
            ),
            (
                [Leftovers("deal", "amount")],
                (
                    "leftovers → deal.amount: amount does not fit leftovers: it holds no single"
                    " text (choose a field of the same type)"
                ),
            ),
            (
                [Leftovers("deal", "stage")],
                (
                    "leftovers → deal.stage: stage does not fit leftovers: it says more than text"
                    " (choose a field of the same type)"
                ),
            ),
            (
                [Leftovers("deal"), Leftovers("deal", "comments")],
                "leftovers: kind 'deal' stands twice (remove or rename one)",
            ),
        ],
    )
    def test_each(self, kept: list[Leftovers], expected: str) -> None:
        """A place that there is not, or that holds no text, is told when rules are built."""
        with pytest.raises(DefinitionError) as refused:
            rules(leftovers=kept)
        assert [expected] == [str(one) for one in refused.value.problems]

    def test_a_choice_that_is_none(self) -> None:
        """A misspelt choice is told."""
        with pytest.raises(DefinitionError, match="there is no choice 'stricct', did you mean"):
            rules(losses="stricct")


def test_the_preset_reports() -> None:
    """The preset drops nothing in silence, and keeps nothing in a place of its own choice."""
    by = presets.bitrix24()
    assert ("report", ()) == (by.losses, by.leftovers)
    lead = Lead(id="L-7", stage="NEW", title="x", emails=[Channel("a@b.example")])
    found = plan(lead, ["deal"], rules=by, actor=Actor("u-1", roles=["admin"]), at=AT)
    assert ["emails"] == [row.field for row in found.dropped]
