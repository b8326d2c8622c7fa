"""Custom fields of the lead: decided once for all, suggested where it is plain, declined."""

import copy
import json
import pickle
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadconvert import (
    NEW,
    Actor,
    AddOptions,
    Channel,
    ConversionRules,
    CreateField,
    Doubt,
    Existing,
    Field,
    FieldMapping,
    FrozenMap,
    Kind,
    Lead,
    Option,
    Pipeline,
    Placement,
    Policy,
    Question,
    SchemaChange,
    Spread,
    Stage,
    Suggestion,
    convert,
    errors,
    plan,
    reconsider,
    spread,
    suggest,
)
from leadconvert.codec import Codec
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.spreading import is_open, misfits
from leadconvert.testing import conversion_rules


AT = datetime(2027, 1, 31, 9, 30, tzinfo=UTC)
ADMIN = Actor("u-1")
SIZE = Field("UF_SIZE", "integer", label="Team size")
OLD = Field("UF_OLD", "integer", multiple=True)
#: The same list in two places of a CRM, where each has ids of its own.
HEAT = Field(
    "UF_HEAT",
    "enumeration",
    options=[Option("44", "Cold"), Option("45", "Very warm")],
    label="Interest",
)
WARMTH = Field(
    "UF_WARMTH",
    "enumeration",
    options=[Option("7", " very  WARM"), Option("8", "cold"), Option("9", "Unknown")],
    label="Interest",
)


def shout(value: object) -> object:
    """A transform that stands in a module."""
    return f"{value}!"


def crm(
    *lead: Field, mappings: tuple[FieldMapping, ...] = (), **custom: list[Field]
) -> ConversionRules:
    """Rules of a CRM whose leads and other kinds have these custom fields."""
    return ConversionRules(
        lead=attrs.evolve(LEAD, custom=lead),
        kinds=[
            attrs.evolve(kind, custom=custom.get(kind.id, [])) for kind in (CONTACT, COMPANY, DEAL)
        ],
        pipelines=[
            Pipeline("leads", "lead", ["new", Stage("done", "success")]),
            Pipeline("sales", "deal", ["open", Stage("won", "success")]),
        ],
        mappings=[FieldMapping("title", "deal"), *mappings],
        policy=Policy.allow_all(),
        transforms={"shout": shout},
    )


def told(make: Callable[[], object]) -> list[str]:
    """What the refusal of *make* says, mistake by mistake."""
    with pytest.raises(errors.DefinitionError) as caught:
        make()
    return [str(problem) for problem in caught.value.problems]


def members(rules: ConversionRules, kind: str) -> Mapping[str, Field]:
    """The fields of a kind."""
    found = rules.kind(kind)
    assert found is not None
    return found.members


def converted(rules: ConversionRules, custom: Mapping[str, object]) -> Mapping[str, object]:
    """The custom fields of the deal made of a lead with these."""
    lead = Lead(id="L-7", stage="new", title="Engine", custom=custom)
    return convert(lead, ["deal"], rules=rules, actor=ADMIN, at=AT).deal.custom


class TestSpread:
    def test_into_new_and_old_fields(self) -> None:
        """A field goes into the chosen kinds only: into a new field here, an old one there."""
        before = crm(SIZE, contact=[OLD])
        decided = spread(before, "UF_SIZE", into={"deal": NEW, "contact": "UF_OLD"})
        changes = (CreateField(kind="deal", field=SIZE),)
        assert changes == decided.schema_changes
        mappings = (FieldMapping("UF_SIZE", "deal"), FieldMapping("UF_SIZE", "contact", "UF_OLD"))
        expected = attrs.evolve(
            crm(SIZE, contact=[OLD], deal=[SIZE], mappings=mappings),
            declined={"UF_SIZE": ["company"]},
        )
        assert Spread(rules=expected, schema_changes=changes) == decided
        assert "UF_SIZE" not in members(decided.rules, "company")
        assert before == crm(SIZE, contact=[OLD])
        assert Placement.NEW is NEW

    def test_into_a_new_field_under_another_name(self) -> None:
        """A new field may have another id, label, length, multiplicity and more options."""
        text = Field("UF_X", "text", max_length=10)
        new = Field("UF_CRM_17", "text", max_length=50, multiple=True, label="Note")
        decided = spread(crm(text, deal=[SIZE]), "UF_X", into={"deal": new})
        assert (CreateField(kind="deal", field=new),) == decided.schema_changes
        assert ("a",) == converted(decided.rules, {"UF_X": "a"})["UF_CRM_17"]

    def test_a_new_field_whose_id_is_taken(self) -> None:
        """An id that stands already in the kind is refused; the same field by another id is not."""
        taken = crm(SIZE, deal=[Field("UF_SIZE", "text")])
        assert [
            "spread of UF_SIZE: field of deal 'UF_SIZE' stands twice (remove or rename one)"
        ] == told(lambda: spread(taken, "UF_SIZE", into={"deal": NEW}))
        renamed = attrs.evolve(SIZE, id="UF_SIZE_2")
        decided = spread(taken, "UF_SIZE", into={"deal": renamed})
        assert 40 == converted(decided.rules, {"UF_SIZE": 40})["UF_SIZE_2"]

    def test_a_new_field_says_only_what_holds_there(self) -> None:
        """A copy leaves out a currency, or lines to sum up, that the other kind does not have."""
        price = Field("UF_PRICE", "money", currency="currency", sums="products")
        decided = spread(crm(price), "UF_PRICE", into={"deal": NEW, "contact": NEW})
        deal, contact = (change.field for change in decided.schema_changes)
        assert price == deal
        assert Field("UF_PRICE", "money") == contact

    def test_a_new_field_that_cannot_be(self) -> None:
        """A new field that does not fit, or contradicts its kind, is refused."""
        into = {"deal": Field("UF_N", "money", currency="UF_C"), "contact": Field("UF_N", "text")}
        assert [
            "kind deal: there is no field 'UF_C', did you mean 'UF_N'? (correct the name)",
            (
                "spread of UF_SIZE: UF_N does not fit UF_SIZE: money against integer"
                " (choose a field of the same type)"
            ),
            (
                "spread of UF_SIZE: UF_N does not fit UF_SIZE: text against integer"
                " (choose a field of the same type)"
            ),
        ] == told(lambda: spread(crm(SIZE), "UF_SIZE", into=into))

    def test_left_behind(self) -> None:
        """An empty answer leaves the field behind on purpose."""
        decided = spread(crm(SIZE), "UF_SIZE", into={})
        assert () == decided.schema_changes
        assert FieldMapping.leave("UF_SIZE") == decided.rules.mappings[-1]
        assert {} == decided.rules.declined

    def test_a_field_that_is_none(self) -> None:
        """Only a custom field of the lead can be spread."""
        expected = "spread of UF_SIZ: there is no custom field 'UF_SIZ', did you mean 'UF_SIZE'?"
        assert [f"{expected} (correct the name)"] == told(
            lambda: spread(crm(SIZE), "UF_SIZ", into={"deal": NEW})
        )
        assert ["spread of title: there is no custom field 'title' (correct the name)"] == told(
            lambda: spread(crm(SIZE), "title", into={})
        )

    def test_all_mistakes_at_once(self) -> None:
        """Every mistake of an answer is told."""
        before = crm(
            SIZE,
            mappings=(FieldMapping("UF_SIZE", "deal", "comments", transform="join"),),
            contact=[OLD],
            company=[SIZE],
            deal=[Field("UF_TEXT", "text")],
        )
        into: dict[str, str | Placement] = {
            "contcat": NEW,
            "company": NEW,
            "deal": "UF_TEXT",
            "contact": "UF_ODL",
        }
        assert [
            (
                "spread of UF_SIZE: where UF_SIZE for deal goes is decided already"
                " (remove its mapping, or take back with reconsider() that it was declined)"
            ),
            (
                "spread of UF_SIZE: there is no kind 'contcat', did you mean 'contact'?"
                " (correct the name)"
            ),
            "spread of UF_SIZE: field of company 'UF_SIZE' stands twice (remove or rename one)",
            (
                "spread of UF_SIZE: UF_TEXT does not fit UF_SIZE: text against integer"
                " (choose a field of the same type)"
            ),
            (
                "spread of UF_SIZE: there is no field of contact 'UF_ODL', did you mean 'UF_OLD'?"
                " (correct the name)"
            ),
        ] == told(lambda: spread(before, "UF_SIZE", into=into))

    @pytest.mark.parametrize(
        ("mapping", "into"),
        [
            (FieldMapping.leave("UF_SIZE"), {}),
            (FieldMapping.leave("UF_SIZE"), {"deal": NEW}),
            (FieldMapping("UF_SIZE", "contact", "UF_OLD"), {}),
        ],
    )
    def test_a_field_decided_on(self, mapping: FieldMapping, into: dict[str, Placement]) -> None:
        """What was decided by another mapping is not decided again."""
        before = crm(SIZE, contact=[OLD], mappings=(mapping,))
        assert [
            (
                "spread of UF_SIZE: where UF_SIZE goes is decided already"
                " (remove its mapping, or take back with reconsider() that it was declined)"
            )
        ] == told(lambda: spread(before, "UF_SIZE", into=into))

    def test_many_to_one(self) -> None:
        """Two fields are never both sent into one: no last one wins."""
        more = Field("UF_MORE", "integer")
        before = crm(
            SIZE, more, contact=[OLD], mappings=(FieldMapping("UF_MORE", "contact", "UF_OLD"),)
        )
        assert [
            (
                "mappings: UF_MORE, UF_SIZE are both mapped to contact.UF_OLD"
                " (make one the fallback of the other)"
            )
        ] == told(lambda: spread(before, "UF_SIZE", into={"contact": "UF_OLD"}))

    def test_into_the_pointer_back(self) -> None:
        """The pointer back at the lead is set by the conversion itself."""
        back = Field("UF_LEADS", "reference", to="lead", multiple=True)
        assert [
            (
                "mapping UF_LEADS → deal.converted_from: deal.converted_from is set by the"
                " conversion itself (remove the mapping)"
            )
        ] == told(lambda: spread(crm(back), "UF_LEADS", into={"deal": "converted_from"}))

    @pytest.mark.parametrize(
        ("target", "why"),
        [
            (Field("UF_T", "text", max_length=9), "it holds 9 characters only"),
            (Field("UF_T", "text"), "it holds one value only"),
            (Field("UF_T", "url", multiple=True), "url against text"),
        ],
    )
    def test_why_it_does_not_fit(self, target: Field, why: str) -> None:
        """A field that could not hold every value is refused, with what is the matter."""
        source = Field("UF_X", "text", multiple=target.max_length is None)
        before = crm(source, deal=[target])
        assert [
            f"spread of UF_X: UF_T does not fit UF_X: {why} (choose a field of the same type)"
        ] == told(lambda: spread(before, "UF_X", into={"deal": "UF_T"}))

    def test_references_must_point_at_the_same(self) -> None:
        """A reference goes into a reference to the same kind."""
        source, target = (
            Field(f"UF_{to}", "reference", to=to, multiple=True) for to in ("product", "user")
        )
        assert {"to": "it points at kind user, not product"} == misfits(source, target)


class TestOptions:
    def test_options_that_are_missing_are_refused(self) -> None:
        """No option is dropped without notice: a field that lacks one is refused."""
        assert [
            (
                "spread of UF_HEAT: UF_WARMTH does not fit UF_HEAT: it has no option '44', '45'"
                " (choose a field of the same type)"
            )
        ] == told(lambda: spread(crm(HEAT, deal=[WARMTH]), "UF_HEAT", into={"deal": "UF_WARMTH"}))

    def test_by_a_value_map(self) -> None:
        """A value map says by ids which option becomes which."""
        into = {"deal": Existing("UF_WARMTH", values={"44": "8", "45": "7"})}
        decided = spread(crm(HEAT, deal=[WARMTH]), "UF_HEAT", into=into)
        assert () == decided.schema_changes
        assert "7" == converted(decided.rules, {"UF_HEAT": "45"})["UF_WARMTH"]

    def test_options_are_added(self) -> None:
        """What the other enumeration lacks can be added: a change of schema, by ids and labels."""
        into = {"deal": Existing("UF_WARMTH", values={"44": "8"}, add_options=True)}
        decided = spread(crm(HEAT, deal=[WARMTH]), "UF_HEAT", into=into)
        change = AddOptions(kind="deal", field="UF_WARMTH", options=[Option("45", "Very warm")])
        assert (change,) == decided.schema_changes
        options = members(decided.rules, "deal")["UF_WARMTH"].options
        assert ["7", "8", "9", "45"] == [option.id for option in options]
        assert "45" == converted(decided.rules, {"UF_HEAT": "45"})["UF_WARMTH"]

    def test_nothing_is_added_where_nothing_is_missing(self) -> None:
        """Where every option is there, there is no change of schema."""
        into = {"deal": Existing("UF_COPY", add_options=True)}
        before = crm(HEAT, deal=[attrs.evolve(HEAT, id="UF_COPY")])
        assert () == spread(before, "UF_HEAT", into=into).schema_changes

    def test_one_into_several(self) -> None:
        """One choice that goes into a list of choices is a list of one, not something else."""
        several = attrs.evolve(HEAT, id="UF_S", multiple=True)
        decided = spread(crm(HEAT, deal=[several]), "UF_HEAT", into={"deal": "UF_S"})
        assert ("45",) == converted(decided.rules, {"UF_HEAT": "45"})["UF_S"]

    def test_options_of_another_type(self) -> None:
        """Options are added to no field of another type."""
        into = {"deal": Existing("comments", add_options=True)}
        assert [
            (
                "spread of UF_HEAT: comments does not fit UF_HEAT: text against enumeration"
                " (choose a field of the same type)"
            )
        ] == told(lambda: spread(crm(HEAT), "UF_HEAT", into=into))


class TestSchemaChanges:
    CHANGES: tuple[SchemaChange, ...] = (
        CreateField(kind="deal", field=HEAT),
        AddOptions(kind="deal", field="UF_HEAT", options=[Option("46", "Hot")]),
    )

    def test_they_are_plain(self) -> None:
        """Changes of schema survive pickle, copy and JSON, alone and in a list."""
        codec = Codec(crm())
        for change in self.CHANGES:
            assert change == pickle.loads(pickle.dumps(change))  # noqa: S301 - our own
            assert change == copy.deepcopy(change)
        data = json.loads(json.dumps(codec.to_data(self.CHANGES)))
        found: Any = tuple[SchemaChange, ...]
        assert self.CHANGES == codec.from_data(data, found)

    def test_they_apply_in_order(self) -> None:
        """Applied to a kind, each makes it what the rules hold; other kinds stay as they are."""
        deal, contact = DEAL, CONTACT
        for change in self.CHANGES:
            deal, contact = change.applied_to(deal), change.applied_to(contact)
        assert ["44", "45", "46"] == [option.id for option in deal.members["UF_HEAT"].options]
        assert CONTACT == contact

    def test_options_of_a_standard_field(self) -> None:
        """An enumeration that refines a standard field gets options as well."""
        typed = Field("type", "enumeration", options=["SALE"])
        kind = attrs.evolve(DEAL, fields=[*DEAL.fields, typed])
        change = AddOptions(kind="deal", field="type", options=[Option("GOODS")])
        options = change.applied_to(kind).members["type"].options
        assert ["SALE", "GOODS"] == [option.id for option in options]

    def test_what_cannot_be_applied(self) -> None:
        """A field that stands already, one that does not exist, and an option that stands twice."""
        kind = attrs.evolve(DEAL, custom=[HEAT])
        again = AddOptions(kind="deal", field="UF_HEAT", options=[Option("45")])
        nowhere = AddOptions(kind="deal", field="UF_HAET", options=[Option("45")])
        assert ["kind deal: field 'UF_HEAT' stands twice (remove or rename one)"] == told(
            lambda: self.CHANGES[0].applied_to(kind)
        )
        assert ["field UF_HEAT: option '45' stands twice (remove or rename one)"] == told(
            lambda: again.applied_to(kind)
        )
        assert [
            (
                "added options: there is no field of deal 'UF_HAET', did you mean 'UF_HEAT'?"
                " (correct the name)"
            )
        ] == told(lambda: nowhere.applied_to(kind))


class TestSuggest:
    @pytest.mark.parametrize(
        "label",
        ["team size", "  Team\u00a0 size ", "TEAM SIZE", "\uff34eam \uff33ize"],
    )
    def test_a_namesake(self, label: str) -> None:
        """Labels are compared without the size of letters, spaces and forms of Unicode."""
        before = crm(SIZE, deal=[Field("UF_SEATS", "integer", label=label)])
        assert (
            Suggestion(source="UF_SIZE", kind="deal", target="UF_SEATS", candidates=["UF_SEATS"]),
        ) == suggest(before)

    @pytest.mark.parametrize(
        "other",
        [
            Field("UF_O", "integer", label="Team"),
            Field("UF_O", "decimal", label="Team size"),
            Field("UF_O", "integer", label="Team size", multiple=True),
        ],
    )
    def test_no_namesake(self, other: Field) -> None:
        """Another label, type or multiplicity is no namesake, so nothing is suggested."""
        assert () == suggest(crm(SIZE, deal=[other]))

    def test_blank_labels_are_no_namesakes(self) -> None:
        """Fields that nobody named have not the same name."""
        one, other = (Field(name, "integer", label=" ") for name in ("UF_A", "UF_B"))
        assert () == suggest(crm(one, deal=[other]))

    def test_references_to_another_kind_are_no_namesakes(self) -> None:
        """A reference to something else is another sort of value."""
        one, other = (
            Field("UF_R", "reference", to=to, multiple=True, label="Who") for to in ("user", "team")
        )
        assert () == suggest(crm(one, deal=[other]))

    def test_never_into_a_part_the_conversion_sets(self) -> None:
        """The pointer back at leads is nobody's namesake."""
        back = Field("UF_LEADS", "reference", to="lead", multiple=True, label="From")
        bill = Kind("bill", custom=[attrs.evolve(back, id="from")], converted_from="from")
        before = crm(back)
        before = attrs.evolve(before, kinds=[*before.kinds, bill])
        assert () == suggest(before)

    def test_options_by_their_ids(self) -> None:
        """Options with the same ids need no value map, even where one has no label."""
        other = attrs.evolve(HEAT, id="UF_O", options=[Option("45"), Option("44", "COLD")])
        [suggestion] = suggest(crm(HEAT, deal=[other]))
        assert ("UF_O", {}) == (suggestion.target, suggestion.values)

    def test_options_by_their_labels(self) -> None:
        """Options with other ids and the same labels are suggested with a value map, by ids."""
        [suggestion] = suggest(crm(HEAT, deal=[WARMTH]))
        assert ("UF_WARMTH", {"44": "8", "45": "7"}) == (suggestion.target, suggestion.values)

    def test_ids_that_mean_something_else(self) -> None:
        """The same ids with labels that deny it are not the same options."""
        other = attrs.evolve(
            HEAT, id="UF_O", options=[Option("45", "Cold"), Option("44", "very warm")]
        )
        [suggestion] = suggest(crm(HEAT, deal=[other]))
        assert ("UF_O", {"44": "45", "45": "44"}) == (suggestion.target, suggestion.values)

    def test_some_ids_are_the_same(self) -> None:
        """What stays as it is needs no entry in the value map."""
        other = attrs.evolve(
            HEAT, id="UF_O", options=[Option("44", "Cold"), Option("7", "Very warm")]
        )
        [suggestion] = suggest(crm(HEAT, deal=[other]))
        assert {"45": "7"} == suggestion.values

    @pytest.mark.parametrize(
        "options",
        [
            [Option("7", "Very warm")],
            [Option("7", "Very warm"), Option("8", "Cold"), Option("9", "cold")],
            [Option("44", "Very warm"), Option("8", "Freezing")],
        ],
    )
    def test_options_that_do_not_match(self, options: list[Option]) -> None:
        """Where an option has no counterpart, or two, nothing is suggested and nothing dropped."""
        other = attrs.evolve(HEAT, id="UF_O", options=options)
        assert (
            Suggestion(source="UF_HEAT", kind="deal", doubt="misfit", candidates=["UF_O"]),
        ) == suggest(crm(HEAT, deal=[other]))

    def test_twin_options_of_the_lead(self) -> None:
        """Two options of the lead with one label have no plain counterpart."""
        twins = attrs.evolve(HEAT, options=[Option("44", "Cold"), Option("45", "cold ")])
        there = [Option("7", "Cold"), Option("45", "Other")]
        other = attrs.evolve(HEAT, id="UF_O", options=there)
        [suggestion] = suggest(crm(twins, deal=[other]))
        assert Doubt.MISFIT is suggestion.doubt

    def test_a_field_that_is_too_short(self) -> None:
        """A namesake that could not hold every value is told, and not suggested."""
        before = crm(Field("UF_X", "text"), deal=[Field("UF_X", "text", max_length=9)])
        [suggestion] = suggest(before)
        assert (None, Doubt.MISFIT, ("UF_X",)) == (
            suggestion.target,
            suggestion.doubt,
            suggestion.candidates,
        )
        assert not suggestion.clear
        assert "UF_X → deal.? (misfit: UF_X)" == str(suggestion)

    def test_two_candidates(self) -> None:
        """Of two namesakes none is guessed, even if only one would fit."""
        one, other = (Field(name, "text", label="Note") for name in ("UF_A", "UF_B"))
        short = attrs.evolve(other, max_length=3)
        assert (
            Suggestion(source="UF_A", kind="deal", doubt="ambiguous", candidates=["UF_A", "UF_B"]),
        ) == suggest(crm(one, deal=[one, short]))

    def test_two_fields_of_the_lead(self) -> None:
        """Two fields of the lead with one namesake: neither wins, and both say so."""
        one, other = (Field(name, "text", label="Note") for name in ("UF_A", "UF_B"))
        target = Field("UF_N", "text", label="note")
        before = crm(one, other, deal=[target])
        first = Suggestion(
            source="UF_A", kind="deal", doubt="contested", candidates=["UF_N"], rivals=["UF_B"]
        )
        second = attrs.evolve(first, source="UF_B", rivals=["UF_A"])
        assert (first, second) == suggest(before)
        left = spread(before, "UF_B", into={}).rules
        assert ["UF_N"] == [suggestion.target for suggestion in suggest(left)]

    def test_a_namesake_that_is_filled(self) -> None:
        """A namesake that another mapping fills is told with what fills it, and not suggested."""
        target = Field("UF_N", "text", label="note")
        before = crm(
            Field("UF_X", "text", label="Note"),
            deal=[target],
            mappings=(FieldMapping("comments", "deal", "UF_N", fallbacks=["title"]),),
        )
        assert (
            Suggestion(
                source="UF_X",
                kind="deal",
                doubt="taken",
                candidates=["UF_N"],
                rivals=["comments", "title"],
            ),
        ) == suggest(before)

    def test_only_what_nobody_decided_on(self) -> None:
        """What is mapped into a kind, declined for it or left behind is not suggested there."""
        there = [attrs.evolve(SIZE, id="UF_O")]
        before = crm(SIZE, contact=there, company=there, deal=there)
        assert ["contact", "company", "deal"] == [one.kind for one in suggest(before)]
        decided = spread(before, "UF_SIZE", into={"deal": "UF_O"}).rules
        assert () == suggest(decided)
        assert () == suggest(spread(before, "UF_SIZE", into={}).rules)
        mapped = attrs.evolve(before, mappings=[FieldMapping("UF_SIZE", "deal", "UF_O")])
        assert ["contact", "company"] == [one.kind for one in suggest(mapped)]
        as_fallback = FieldMapping("title", "deal", "comments", fallbacks=["UF_SIZE"])
        assert not is_open(attrs.evolve(before, mappings=[as_fallback]), "UF_SIZE", DEAL)

    def test_a_kind_that_comes_later(self) -> None:
        """Nobody declined a kind that was not there."""
        decided = spread(crm(SIZE), "UF_SIZE", into={"deal": NEW}).rules
        back = Field("converted_from", "reference", to="lead", multiple=True)
        bill = Kind("bill", fields=[back], custom=[SIZE])
        later = attrs.evolve(decided, kinds=[*decided.kinds, bill])
        assert ["UF_SIZE → bill.UF_SIZE"] == list(map(str, suggest(later)))

    def test_accepted(self) -> None:
        """Accepting is one call; it decides for that kind alone, and the value arrives."""
        before = crm(HEAT, SIZE, contact=[SIZE], deal=[WARMTH])
        for_heat, for_size = suggest(before)
        accepted = for_heat.accepted(before)
        assert () == accepted.schema_changes
        assert {} == accepted.rules.declined
        assert (for_size,) == suggest(accepted.rules)
        assert "8" == converted(accepted.rules, {"UF_HEAT": "44"})["UF_WARMTH"]

    def test_accepted_when_it_is_not_plain(self) -> None:
        """What is not plain cannot be accepted by accident."""
        one, other = (Field(name, "text", label="Note") for name in ("UF_A", "UF_B"))
        before = crm(one, deal=[one, other])
        [suggestion] = suggest(before)
        assert [
            (
                "suggestion for UF_A: where UF_A goes in deal is not plain"
                " (ambiguous: UF_A, UF_B) (say it with spread())"
            )
        ] == told(lambda: suggestion.accepted(before))

    def test_accepted_too_late(self) -> None:
        """A suggestion for rules that have changed since is checked again."""
        before = crm(SIZE, deal=[attrs.evolve(SIZE, id="UF_O")])
        [suggestion] = suggest(before)
        assert [
            (
                "spread of UF_SIZE: where UF_SIZE goes is decided already"
                " (remove its mapping, or take back with reconsider() that it was declined)"
            )
        ] == told(lambda: suggestion.accepted(spread(before, "UF_SIZE", into={}).rules))
        assert [
            "suggestion for UF_SIZE: there is no custom field 'UF_SIZE' (correct the name)"
        ] == (told(lambda: suggestion.accepted(crm())))

    def test_labels_count_once(self) -> None:
        """What was accepted says ids: labels in another language of the day change nothing."""
        before = crm(HEAT, deal=[WARMTH])
        [suggestion] = suggest(before)
        rules = suggestion.accepted(before).rules
        renamed = attrs.evolve(
            WARMTH,
            label="Interesse",
            options=[Option(one.id, f"{one.label} (de)") for one in WARMTH.options],
        )
        in_german = attrs.evolve(
            rules,
            kinds=[
                attrs.evolve(kind, custom=[renamed]) if kind.id == "deal" else kind
                for kind in rules.kinds
            ],
        )
        lead = {"UF_HEAT": "45"}
        assert converted(rules, lead) == converted(in_german, lead)
        assert {"UF_WARMTH": "7"} == converted(in_german, lead)


class TestDeclined:
    def test_a_kind_not_named_is_declined(self) -> None:
        """What is not named is remembered as declined, which is not the same as mapped."""
        decided = spread(crm(SIZE), "UF_SIZE", into={"deal": NEW}).rules
        assert {"UF_SIZE": ("company", "contact")} == decided.declined
        assert "UF_SIZE" not in members(decided, "contact")
        assert [
            (
                "spread of UF_SIZE: where UF_SIZE for contact goes is decided already"
                " (remove its mapping, or take back with reconsider() that it was declined)"
            )
        ] == told(lambda: spread(decided, "UF_SIZE", into={"contact": NEW}))

    def test_nobody_is_asked_again(self) -> None:
        """A field left behind or spread is no question any more."""
        lead = Lead(id="L-7", stage="new", title="Engine", custom={"UF_SIZE": 40})
        for into in ({}, {"contact": NEW}):
            rules = spread(crm(SIZE), "UF_SIZE", into=into).rules
            assert () == plan(lead, ["deal"], rules=rules, actor=ADMIN, at=AT).questions

    def test_a_suggestion_is_declined(self) -> None:
        """Declining a suggestion is about that kind alone; the field stays open for others."""
        before = crm(SIZE, contact=[SIZE], deal=[SIZE])
        for_contact, for_deal = suggest(before)
        rules = for_contact.declined(before)
        assert {"UF_SIZE": ("contact",)} == rules.declined
        assert (for_deal,) == suggest(rules)
        assert rules == for_contact.declined(rules)

    def test_declined_everywhere(self) -> None:
        """What is declined for every kind is left behind: nobody needs to be told again."""
        rules = crm(SIZE, contact=[SIZE], company=[SIZE], deal=[SIZE])
        for suggestion in suggest(rules):
            rules = suggestion.declined(rules)
        assert FieldMapping.leave("UF_SIZE") == rules.mappings[-1]
        assert {} == rules.declined
        assert rules == suggestion.declined(rules)

    def test_declined_where_others_are_mapped(self) -> None:
        """With the last kind open declined, what is mapped elsewhere stays mapped."""
        rules = crm(SIZE, contact=[SIZE], company=[SIZE], deal=[SIZE])
        for_contact, for_company, for_deal = suggest(rules)
        rules = for_company.declined(for_contact.declined(for_deal.accepted(rules).rules))
        assert {"UF_SIZE": ("company", "contact")} == rules.declined
        assert FieldMapping("UF_SIZE", "deal") == rules.mappings[-1]
        assert [
            (
                "declined UF_SIZE: UF_SIZE for deal is mapped and left behind as well"
                " (keep one of the two)"
            )
        ] == told(lambda: for_deal.declined(rules))

    def test_taken_back(self) -> None:
        """A decline is taken back for all kinds, or for some; what was mapped stays."""
        decided = spread(crm(SIZE), "UF_SIZE", into={"deal": NEW}).rules
        assert {} == reconsider(decided, "UF_SIZE").declined
        assert decided.mappings == reconsider(decided, "UF_SIZE").mappings
        again = reconsider(decided, "UF_SIZE", ["contact"])
        assert {"UF_SIZE": ("company",)} == again.declined
        both = spread(again, "UF_SIZE", into={"contact": NEW}).rules
        assert {"UF_SIZE": ("company",)} == both.declined
        assert ["deal", "contact"] == [one.kind for one in both.mappings if one.source == "UF_SIZE"]

    def test_taken_back_what_was_left_behind(self) -> None:
        """What was left behind is open again, for the kinds named or for all."""
        left = spread(crm(SIZE), "UF_SIZE", into={}).rules
        assert crm(SIZE) == reconsider(left, "UF_SIZE")
        some = reconsider(left, "UF_SIZE", ["deal"])
        assert {"UF_SIZE": ("company", "contact")} == some.declined
        assert not some.decides_on("UF_SIZE")

    def test_taken_back_what_was_not_declined(self) -> None:
        """What nobody declined cannot be taken back, nor what there is not."""
        decided = spread(crm(SIZE), "UF_SIZE", into={"deal": NEW}).rules
        assert ["reconsidering UF_SIZE: UF_SIZE was not declined (name what was)"] == told(
            lambda: reconsider(crm(SIZE), "UF_SIZE")
        )
        assert [
            (
                "reconsidering UF_SIZE: there is no kind 'contcat', did you mean 'contact'?"
                " (correct the name)"
            ),
            "reconsidering UF_SIZE: UF_SIZE for deal was not declined (name what was)",
        ] == told(lambda: reconsider(decided, "UF_SIZE", ["contcat", "deal"]))
        assert ["reconsidering UF_X: there is no custom field 'UF_X' (correct the name)"] == told(
            lambda: reconsider(decided, "UF_X")
        )
        with pytest.raises(TypeError, match="a list of texts"):
            reconsider(decided, "UF_SIZE", "contact")

    def test_rules_check_what_was_declined(self) -> None:
        """Names that are none, and what is declined and mapped as well, are mistakes of rules."""
        wrong = {"UF_SIZ": ["deal"], "UF_SIZE": ["dael", "deal"]}
        mapping = FieldMapping("UF_SIZE", "deal", "comments", transform="join")
        before = crm(SIZE, mappings=(mapping,))
        assert [
            (
                "declined UF_SIZ: there is no custom field 'UF_SIZ', did you mean 'UF_SIZE'?"
                " (correct the name)"
            ),
            ("declined UF_SIZE: there is no kind 'dael', did you mean 'deal'? (correct the name)"),
            (
                "declined UF_SIZE: UF_SIZE for deal is mapped and left behind as well"
                " (keep one of the two)"
            ),
        ] == told(lambda: attrs.evolve(before, declined=wrong))

    def test_it_is_part_of_the_rules(self) -> None:
        """What is declined counts in what stands for rules, in any order, each kind once."""
        one = attrs.evolve(crm(SIZE), declined={"UF_SIZE": ["deal", "contact", "deal"]})
        other = attrs.evolve(crm(SIZE), declined={"UF_SIZE": ["contact", "deal"]})
        none = attrs.evolve(crm(SIZE), declined={"UF_SIZE": []})
        assert one == other
        assert one.digest == other.digest != none.digest
        assert crm(SIZE) == none


class TestQuestions:
    def ask(self, rules: ConversionRules, value: object = 40) -> Question:
        """The only question about a lead with a size."""
        lead = Lead(id="L-7", stage="new", title="Engine", custom={"UF_SIZE": value})
        p = plan(lead, ["deal"], rules=rules, actor=ADMIN, at=AT)
        assert ["UF_SIZE"] == [row.field for row in p.dropped]
        [question] = p.questions
        return question

    def test_the_suggestion_is_first(self) -> None:
        """The namesake is offered first, and named; without an answer nothing goes there."""
        seats, same = Field("UF_SEATS", "integer"), attrs.evolve(SIZE, id="UF_O")
        question = self.ask(crm(SIZE, deal=[seats, same]))
        assert {"deal": ("UF_O", "UF_SEATS")} == question.choices
        assert {"deal": "UF_O"} == question.suggested

    def test_what_is_not_plain_is_not_suggested(self) -> None:
        """Of two namesakes none is; both are offered in the order they have."""
        one, other = (attrs.evolve(SIZE, id=name) for name in ("UF_B", "UF_A"))
        question = self.ask(crm(SIZE, deal=[one, other]))
        assert {"deal": ("UF_B", "UF_A")} == question.choices
        assert {} == question.suggested

    def test_what_needs_a_value_map_is_not_suggested(self) -> None:
        """An answer has no value map: options that agree by label alone are no choice."""
        heat, warmth = (attrs.evolve(one, id="UF_SIZE") for one in (HEAT, WARMTH))
        assert {"deal": ()} == self.ask(crm(heat, deal=[warmth]), "44").choices
        swapped = attrs.evolve(
            heat, id="UF_O", options=[Option("44", "Very warm"), Option("45", "Cold")]
        )
        question = self.ask(crm(heat, deal=[swapped]), "44")
        assert ({"deal": ("UF_O",)}, {}) == (question.choices, question.suggested)

    def test_a_kind_that_was_declined(self) -> None:
        """Where the field was declined there is nothing to choose; if everywhere, no question."""
        before = crm(SIZE, contact=[SIZE], deal=[SIZE])
        rules = attrs.evolve(before, declined={"UF_SIZE": ["deal"]})
        lead = Lead(id="L-7", stage="new", title="Engine", custom={"UF_SIZE": 40})
        p = plan(lead, ["contact", "deal"], rules=rules, actor=ADMIN, at=AT)
        assert [{"contact": ("UF_SIZE",), "deal": ()}] == [one.choices for one in p.questions]
        assert () == plan(lead, ["deal"], rules=rules, actor=ADMIN, at=AT).questions

    def test_a_field_that_nobody_described(self) -> None:
        """A value of a field the rules do not have is asked about, without a suggestion."""
        question = self.ask(crm(deal=[SIZE]))
        assert ({"deal": ("UF_SIZE",)}, {}) == (question.choices, question.suggested)


def _filled(field: Field) -> object:
    """Some value that *field* takes."""
    ones: dict[str, object] = {
        "text": "a",
        "integer": 3,
        "decimal": Decimal("1.5"),
        "money": Decimal(5),
        "boolean": True,
        "date": AT.date(),
        "datetime": AT,
        "file": "F-1",
        "url": Channel("https://example.com"),
        "email": Channel("ada@example.com"),
        "phone": Channel("030 123456"),
        "messenger": Channel("@ada"),
    }
    if field.options:
        return field.accept(field.options[-1].id)
    return field.accept(ones.get(field.type))


class TestLaws:
    @settings(max_examples=60)
    @given(conversion_rules(), st.data())
    def test_rules_after_spread_accept_what_the_changes_say(
        self, rules: ConversionRules, data: st.DataObject
    ) -> None:
        """For any rules, a spread field carries its values into whatever it was spread into."""
        undecided = [field for field in rules.lead.custom if not rules.decides_on(field.id)]
        if not undecided:
            return
        source = data.draw(st.sampled_from(undecided))
        named = data.draw(st.lists(st.sampled_from(rules.order), unique=True))
        into = {kind: attrs.evolve(source, id="UF_LAW") for kind in named}
        decided = spread(rules, source.id, into=into)

        kinds = {kind.id: kind for kind in rules.kinds}
        for change in decided.schema_changes:
            kinds[change.kind] = change.applied_to(kinds[change.kind])
        assert tuple(kinds.values()) == decided.rules.kinds
        for kind in named:
            target = members(decided.rules, kind)["UF_LAW"]
            value = _filled(source)
            assert target.fits(source)
            assert source.accept(value) == target.accept(value)
        everywhere = {*named, *decided.rules.declined.get(source.id, ())}
        assert {*rules.order} == everywhere if named else decided.rules.decides_on(source.id)
        assert not [one for one in suggest(decided.rules) if one.source == source.id]

    @settings(max_examples=60)
    @given(conversion_rules(), st.data())
    def test_what_is_suggested_can_be_accepted(
        self, rules: ConversionRules, data: st.DataObject
    ) -> None:
        """For any rules whose kinds have copies, each plain suggestion is valid, none is twice."""
        copies = {kind.id: list(kind.custom) for kind in rules.kinds}
        for field in rules.lead.custom:
            for name in data.draw(st.lists(st.sampled_from(rules.order), max_size=3)):
                ids = [one.id for one in copies[name]]
                copies[name].append(attrs.evolve(field, id=f"UF_COPY_{len(ids)}"))
        kinds = [attrs.evolve(kind, custom=copies[kind.id]) for kind in rules.kinds]
        rules = attrs.evolve(rules, kinds=kinds)
        found = [one for one in suggest(rules) if one.clear]
        for suggestion in found:
            rules = suggestion.accepted(rules).rules
        assert len({(one.kind, one.target) for one in found}) == len(found)
        assert not [one for one in suggest(rules) if one.clear]

    def test_fits_and_misfits_agree(self) -> None:
        """Without a value map there is a reason exactly where the field does not fit."""
        fields = [
            Field("a", "text"),
            Field("a", "text", max_length=5),
            Field("a", "text", max_length=9, multiple=True),
            Field("a", "integer"),
            HEAT,
            WARMTH,
            attrs.evolve(HEAT, options=["44"]),
            Field("a", "reference", to="contact"),
            Field("a", "reference", to="company"),
        ]
        for source in fields:
            for target in fields:
                assert target.fits(source) is not bool(misfits(source, target))

    def test_suggestions_are_plain(self) -> None:
        """Suggestions survive pickle, copy and JSON."""
        codec = Codec(crm())
        for suggestion in suggest(crm(HEAT, SIZE, deal=[WARMTH, SIZE, attrs.evolve(SIZE, id="B")])):
            assert suggestion == pickle.loads(pickle.dumps(suggestion))  # noqa: S301 - our own
            assert suggestion == copy.deepcopy(suggestion)
            data = json.loads(json.dumps(codec.to_data(suggestion)))
            assert suggestion == codec.from_data(data, Suggestion)
            assert isinstance(suggestion.values, FrozenMap)
