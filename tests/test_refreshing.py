"""Rules brought up to date: what fits stays, what does not goes, and every change is told."""

import copy
import json
import pickle
from collections.abc import Iterable, Mapping
from string import Formatter
from typing import Any, Final

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadconvert import (
    NEW,
    Actor,
    Adjusted,
    Adjustment,
    Automation,
    AutomationRule,
    ChildRule,
    Column,
    ConversionRules,
    Create,
    Doubt,
    Field,
    FieldMapping,
    Grant,
    Kind,
    Leftovers,
    Limit,
    Matching,
    MatchRule,
    Option,
    OwnerRule,
    Pipeline,
    Policy,
    Refreshed,
    Required,
    Role,
    Stage,
    Suggestion,
    Where,
    errors,
    presets,
    reconsider,
    refresh,
    spread,
)
from leadconvert.codec import Codec
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.testing import access_requests, actors, conversion_rules


X: Final = Field("UF_X", "text", label="Note")
Y: Final = Field("UF_Y", "text")
HEAT: Final = Field("UF_HEAT", "enumeration", options=["cold", "warm"])
BACK: Final = Field("converted_from", "reference", to="lead", multiple=True)
LEADS: Final = Pipeline("leads", "lead", ["new", "work", Stage("done", "success")])
SALES: Final = Pipeline("sales", "deal", ["open", Stage("won", "success")])


def shout(value: object) -> object:
    """A transform that stands in a module."""
    return f"{value}!"


def crm(
    lead: Iterable[Field] = (),
    deal: Iterable[Field] = (),
    *mappings: FieldMapping,
    more: Iterable[Kind] = (),
    **parts: Any,  # noqa: ANN401 - whatever rules have
) -> ConversionRules:
    """Rules of a CRM whose leads and deals have these custom fields."""
    base = ConversionRules(
        lead=attrs.evolve(LEAD, custom=lead),
        kinds=[CONTACT, COMPANY, attrs.evolve(DEAL, custom=deal), *more],
        pipelines=[LEADS, SALES],
        mappings=[FieldMapping("title", "deal"), *mappings],
        policy=Policy.allow_all(),
        transforms={"shout": shout},
    )
    return attrs.evolve(base, **parts)


def told(refreshed: Refreshed) -> list[str]:
    """What became of what, in words."""
    return list(map(str, refreshed.adjustments))


def custom(rules: ConversionRules, kind: str) -> tuple[Field, ...]:
    """The custom fields of a kind."""
    [found] = [one for one in rules.every_kind if one.id == kind]
    return found.custom


class TestFields:
    def test_new_changed_and_vanished(self) -> None:
        """Each field that is new, other than before, or gone is told; the order stays."""
        rules = crm(deal=[X, Y, HEAT])
        changed = attrs.evolve(X, label="Remark", max_length=50)
        size = Field("UF_SIZE", "integer")
        refreshed = refresh(rules, {"deal": [size, HEAT, changed]})
        assert [
            "field deal.UF_X: changed (label; max_length)",
            "field deal.UF_Y: vanished",
            "field deal.UF_SIZE: new",
        ] == told(refreshed)
        assert (changed, HEAT, size) == custom(refreshed.rules, "deal")
        assert () == refreshed.dropped
        assert () == refreshed.suggestions

    def test_nothing_happened(self) -> None:
        """The same fields in another order change nothing; kinds that are not named stay."""
        rules = crm([X], [X, Y])
        refreshed = refresh(rules, {"deal": [Y, X]})
        assert Refreshed(rules=rules, adjustments=(), suggestions=()) == refreshed
        assert rules.digest == refreshed.rules.digest
        assert rules == refresh(rules, {}).rules

    def test_only_fields_with_a_prefix(self) -> None:
        """A list of some fields alone makes no others vanish."""
        rules = crm(deal=[X, Field("margin", "money")])
        refreshed = refresh(rules, {"deal": []}, prefix="UF_")
        assert ["field deal.UF_X: vanished"] == told(refreshed)
        assert ["margin"] == [field.id for field in custom(refreshed.rules, "deal")]

    def test_a_sensitive_field_stays_sensitive(self) -> None:
        """What a policy protects is not laid open by a list that says nothing of it."""
        rules = crm(deal=[attrs.evolve(X, sensitive=True)])
        assert rules == refresh(rules, {"deal": [X]}).rules
        hidden = refresh(crm(deal=[X]), {"deal": [attrs.evolve(X, sensitive=True)]})
        assert ["field deal.UF_X: changed (sensitive)"] == told(hidden)
        assert custom(hidden.rules, "deal")[0].sensitive

    def test_what_a_field_says_of_another(self) -> None:
        """A currency, or lines to sum up, that are gone are not spoken of any more."""
        lines = Field("UF_LINES", "product", multiple=True)
        price = Field("UF_PRICE", "money", currency="UF_CUR", sums="UF_LINES")
        rules = crm(deal=[price, Field("UF_CUR", "text"), lines])
        for single in ([], [attrs.evolve(lines, multiple=False)], [Field("UF_LINES", "text")]):
            refreshed = refresh(rules, {"deal": [price, *single]})
            assert "field deal.UF_PRICE: reduced (currency; sums)" in told(refreshed)
            assert Field("UF_PRICE", "money") == custom(refreshed.rules, "deal")[0]
        amount = Field("amount", "money", currency="UF_CUR", sums="products")
        kind = Kind("deal", DEAL.cls, fields=[amount, BACK], custom=[Field("UF_CUR", "text")])
        rules = ConversionRules(kinds=[kind], pipelines=[LEADS])
        [refined] = [
            field
            for field in refresh(rules, {"deal": []}).rules.kinds[0].fields
            if field.id == "amount"
        ]
        assert attrs.evolve(amount, currency=None) == refined

    def test_what_cannot_be(self) -> None:
        """A kind that there is not, and a field that stands twice, are mistakes of whoever asks."""
        with pytest.raises(errors.DefinitionError) as caught:
            refresh(crm(), {"dael": [], "deal": [X, X]})
        assert [
            "refresh: there is no kind 'dael', did you mean 'deal'? (correct the name)",
            "fields of deal: field 'UF_X' stands twice (remove or rename one)",
        ] == [str(problem) for problem in caught.value.problems]


class TestKinds:
    def bill(self, **parts: Any) -> Kind:  # noqa: ANN401 - whatever kinds have
        """A kind of custom fields alone."""
        fields = [X, Y, Field("who", "text"), Field("all", "boolean")]
        return Kind("bill", fields=[BACK], custom=fields, **parts)

    def test_parts_that_fields_play(self) -> None:
        """Names, owners, keys and demands speak no more of a field that is gone."""
        bill = self.bill(
            name="UF_X",
            owner="who",
            opened="all",
            any_of=[("UF_X", "UF_Y"), ("UF_X",)],
            keys={"person": ["UF_X", "UF_Y"], "note": ["UF_Y"]},
        )
        refreshed = refresh(crm(more=[bill]), {"bill": [Y]})
        assert [
            "field bill.UF_X: vanished",
            "field bill.who: vanished",
            "field bill.all: vanished",
            "one of UF_X, UF_Y in bill: reduced (UF_X)",
            "one of UF_X in bill: reduced (UF_X)",
            "key person of bill: dropped (UF_X)",
            "name of bill: dropped (UF_X)",
            "owner of bill: dropped (who)",
            "opened of bill: dropped (all)",
        ] == told(refreshed)
        expected = Kind(
            "bill", fields=[BACK], custom=[Y], any_of=[("UF_Y",)], keys={"note": ["UF_Y"]}
        )
        assert expected == refreshed.rules.kind("bill")

    def test_what_conversions_need_is_kept(self) -> None:
        """Without stage, pipeline and pointer back there is no conversion, so they stay."""
        bill = Kind(
            "bill",
            custom=[BACK, Field("phase", "text"), Field("line", "text"), Y],
            stage="phase",
            pipeline="line",
        )
        bills = Pipeline("bills", "bill", ["a"])
        rules = crm()
        rules = attrs.evolve(rules, kinds=[*rules.kinds, bill], pipelines=[*rules.pipelines, bills])
        refreshed = refresh(rules, {"bill": [Field("phase", "integer"), BACK]})
        assert [
            "field bill.phase: kept",
            "field bill.line: kept",
            "field bill.UF_Y: vanished",
        ] == told(refreshed)
        assert bill.custom[:3] == custom(refreshed.rules, "bill")

    def test_required_at_stages(self) -> None:
        """A stage requires what there still is."""
        sales = attrs.evolve(
            SALES, required=[Required(["UF_X", "UF_Y"], since="won"), Required("UF_X")]
        )
        rules = crm(deal=[X, Y], pipelines=[LEADS, sales])
        refreshed = refresh(rules, {"deal": [Y]})
        assert [
            "field deal.UF_X: vanished",
            "pipeline sales: reduced (UF_X)",
            "pipeline sales: reduced (UF_X)",
        ] == told(refreshed)
        [left] = refreshed.rules.pipelines_of("deal")
        assert (Required(["UF_Y"], since="won"),) == left.required


class TestMappings:
    def after(
        self,
        mapping: FieldMapping,
        *,
        had: Iterable[Field] = (X, Y, HEAT),
        lead: Iterable[Field] = (X, Y, HEAT),
        deal: Iterable[Field] | None = None,
    ) -> tuple[list[FieldMapping], list[str]]:
        """What is left of a mapping among these fields, and what is told of it.

        The lead had all three fields, and the deal those it *had*.
        """
        rules = crm((X, Y, HEAT), had, mapping)
        refreshed = refresh(rules, {"lead": lead, "deal": had if deal is None else deal})
        ours = [line for line in told(refreshed) if line.startswith("mapping")]
        return list(refreshed.rules.mappings[1:]), ours

    @pytest.mark.parametrize(
        ("mapping", "gone"),
        [
            (FieldMapping("UF_X", "deal"), "lead"),
            (FieldMapping("UF_X", "deal"), "deal"),
            (FieldMapping("UF_X", "deal", "comments", transform="shout"), "lead"),
            (FieldMapping("title", "deal", "UF_X", transform="upper"), "deal"),
            (FieldMapping.fixed("deal", "UF_X", "a"), "deal"),
            (FieldMapping.leave("UF_X"), "lead"),
            (FieldMapping.joined("deal", "UF_X", "{title}: {UF_Y}"), "deal"),
            (FieldMapping.joined("deal", "comments", "({UF_X})"), "lead"),
        ],
        ids=str,
    )
    def test_a_field_vanished(self, mapping: FieldMapping, gone: str) -> None:
        """A mapping from or into a field that is gone is dropped, with the reason."""
        left = [Y, HEAT]
        mappings, said = (
            self.after(mapping, lead=left) if gone == "lead" else self.after(mapping, deal=left)
        )
        assert [] == mappings
        assert [
            f"mapping {mapping}: dropped (there is no field of {gone} 'UF_X', did you mean 'UF_Y'?)"
        ] == said

    @pytest.mark.parametrize(
        "mapping",
        [
            FieldMapping("UF_Y", "deal"),
            FieldMapping("title", "deal", "UF_Y", fallbacks=["comments"]),
            FieldMapping("UF_HEAT", "deal", values={"old": "cold"}, conflict="take"),
            FieldMapping("UF_HEAT", "deal", "UF_Y"),
            FieldMapping.fixed("deal", "UF_HEAT", "warm"),
            FieldMapping.leave("UF_Y"),
        ],
        ids=str,
    )
    def test_what_still_fits_stays(self, mapping: FieldMapping) -> None:
        """A mapping whose fields are as before is the same as before, whatever it did."""
        assert ([mapping], []) == self.after(mapping, lead=[Y, HEAT], deal=[Y, HEAT])

    def test_fallbacks(self) -> None:
        """Of a source with fallbacks what is left goes on, the next one first."""
        mapping = FieldMapping("UF_X", "deal", "comments", fallbacks=["UF_Y", "title"])
        assert (
            [FieldMapping("UF_X", "deal", "comments", fallbacks=["title"])],
            ["mapping UF_X or UF_Y or title → deal.comments: reduced (UF_Y)"],
        ) == self.after(mapping, lead=[X, HEAT])
        assert (
            [FieldMapping("title", "deal", "comments")],
            ["mapping UF_X or UF_Y or title → deal.comments: reduced (UF_X; UF_Y)"],
        ) == self.after(mapping, lead=[HEAT])

    def test_a_fallback_that_is_left_behind_already(self) -> None:
        """Where what is left would contradict another mapping, it is dropped, and that is told."""
        mapping = FieldMapping("UF_X", "deal", "comments", fallbacks=["source"])
        rules = crm([X], [], FieldMapping.leave("source"), mapping)
        refreshed = refresh(rules, {"lead": []})
        assert [
            "field lead.UF_X: vanished",
            "mapping UF_X or source → deal.comments: reduced (UF_X)",
            ("mapping source → deal.comments: dropped (source is mapped and left behind as well)"),
        ] == told(refreshed)

    def test_templates(self) -> None:
        """A template loses the place of a field that is gone, with the text that goes with it."""
        mapping = FieldMapping.joined("deal", "comments", "<{{{UF_X}: {UF_Y} / {title}}}>")
        assert (
            [FieldMapping.joined("deal", "comments", "{UF_Y} / {title}}}>")],
            ["mapping UF_X and UF_Y and title → deal.comments: reduced (UF_X)"],
        ) == self.after(mapping, lead=[Y, HEAT])
        assert [FieldMapping.joined("deal", "comments", "<{{{UF_X} / {title}}}>")] == (
            self.after(mapping, lead=[X, HEAT])[0]
        )
        assert [FieldMapping.joined("deal", "comments", "{title}}}>")] == (
            self.after(mapping, lead=[])[0]
        )
        at_the_end = FieldMapping.joined("deal", "comments", "{title}, {UF_X}!")
        assert [FieldMapping.joined("deal", "comments", "{title}")] == (
            self.after(at_the_end, lead=[])[0]
        )

    def test_parts_of_an_address(self) -> None:
        """An address is made of the parts there still are."""
        where = Field("UF_WHERE", "address")
        mapping = FieldMapping.gathered("deal", "UF_WHERE", {"city": "UF_X", "country": "UF_Y"})
        assert (
            [FieldMapping.gathered("deal", "UF_WHERE", {"country": "UF_Y"})],
            ["mapping UF_X and UF_Y → deal.UF_WHERE: reduced (UF_X)"],
        ) == self.after(mapping, had=[where], lead=[Y])

    @pytest.mark.parametrize(
        ("source", "target", "why"),
        [
            (Field("UF_X", "integer"), X, "text against integer"),
            (X, Field("UF_X", "date"), "date against text"),
            (X, attrs.evolve(HEAT, id="UF_X"), "enumeration against text"),
        ],
    )
    def test_another_type(self, source: Field, target: Field, why: str) -> None:
        """A mapping was decided on for what its fields hold; for something else it is dropped."""
        mappings, said = self.after(FieldMapping("UF_X", "deal"), lead=[source], deal=[target])
        assert [] == mappings
        assert [f"mapping UF_X → deal.UF_X: dropped (deal.UF_X does not fit UF_X: {why})"] == said

    def test_another_kind_to_point_at(self) -> None:
        """A reference that points elsewhere is something else."""
        one, other = (Field("UF_R", "reference", to=to, multiple=True) for to in ("user", "team"))
        rules = crm([one], [one], FieldMapping("UF_R", "deal"))
        assert [
            "field lead.UF_R: changed (to)",
            (
                "mapping UF_R → deal.UF_R: dropped"
                " (deal.UF_R does not fit UF_R: it points at kind user, not team)"
            ),
        ] == told(refresh(rules, {"lead": [other]}))

    def test_another_type_of_one_source(self) -> None:
        """Of several sources only the one that holds something else now is left out."""
        mapping = FieldMapping("UF_X", "deal", "UF_X", fallbacks=["UF_Y"])
        assert (
            [FieldMapping("UF_Y", "deal", "UF_X")],
            ["mapping UF_X or UF_Y → deal.UF_X: reduced (UF_X)"],
        ) == self.after(mapping, lead=[Field("UF_X", "integer"), Y])

    def test_a_type_that_never_fitted(self) -> None:
        """What was mapped on purpose between two types stays, until a type changes again."""
        mapping = FieldMapping("UF_HEAT", "deal", "UF_X")
        warmer = attrs.evolve(HEAT, options=["cold", "warm", "hot"])
        assert ([mapping], []) == self.after(mapping, lead=[warmer])
        assert [] == self.after(mapping, lead=[Field("UF_HEAT", "integer")])[0]

    @pytest.mark.parametrize(
        ("source", "target", "why"),
        [
            (X, attrs.evolve(X, max_length=9), "max_length"),
            (attrs.evolve(X, multiple=True), X, "multiple"),
            (attrs.evolve(X, multiple=True), attrs.evolve(X, max_length=5), "multiple; max_length"),
        ],
    )
    def test_some_values_do_not_fit_any_more(self, source: Field, target: Field, why: str) -> None:
        """A mapping that some values do not fit stays, since a conversion refuses those; told."""
        mapping = FieldMapping("UF_X", "deal")
        assert ([mapping], [f"mapping UF_X → deal.UF_X: doubtful ({why})"]) == self.after(
            mapping, lead=[source], deal=[target]
        )

    def test_doubts_that_are_old(self) -> None:
        """What did not fit before either is not told again, unless it got worse."""
        short = attrs.evolve(X, max_length=50)
        rules = crm([X], [short], FieldMapping("UF_X", "deal"))
        assert [] == told(refresh(rules, {"lead": [X], "deal": [short]}))
        shorter = attrs.evolve(X, max_length=9)
        assert "mapping UF_X → deal.UF_X: doubtful (max_length)" in told(
            refresh(rules, {"deal": [shorter]})
        )

    def test_options_without_a_counterpart(self) -> None:
        """An option that the other side does not have is told, not dropped without notice."""
        mapping = FieldMapping("UF_HEAT", "deal")
        warmer = attrs.evolve(HEAT, options=["cold", "warm", "hot"])
        assert ([mapping], ["mapping UF_HEAT → deal.UF_HEAT: doubtful (options)"]) == self.after(
            mapping, lead=[warmer]
        )
        assert ([mapping], []) == self.after(mapping, deal=[warmer])

    def test_value_maps(self) -> None:
        """A value map loses options that no lead can have; what leads to none there is told."""
        theirs = attrs.evolve(HEAT, options=["7", "8"])
        mapping = FieldMapping("UF_HEAT", "deal", values={"cold": "7", "warm": "8", "old": "7"})
        rules = crm([HEAT], [theirs], mapping)

        fewer = attrs.evolve(HEAT, options=["warm"])
        refreshed = refresh(rules, {"lead": [fewer]})
        assert [
            "field lead.UF_HEAT: changed (options)",
            "mapping UF_HEAT → deal.UF_HEAT: reduced (cold)",
        ] == told(refreshed)
        assert {"warm": "8", "old": "7"} == refreshed.rules.mappings[1].values

        gone = refresh(rules, {"deal": [attrs.evolve(theirs, options=["7", "cold"])]})
        assert [
            "field deal.UF_HEAT: changed (options)",
            "mapping UF_HEAT → deal.UF_HEAT: doubtful (options)",
        ] == told(gone)
        # without the entry an option of the lead's would be taken for another's by chance
        assert mapping in gone.rules.mappings

    def test_value_maps_of_texts(self) -> None:
        """What a text may be nobody knows, so its value map stays whole."""
        mapping = FieldMapping("UF_HEAT", "deal", "UF_X", fallbacks=["UF_Y"], values={"cold": "c"})
        left, _ = self.after(mapping, lead=[attrs.evolve(HEAT, options=["warm"]), Y])
        assert [mapping] == left

    def test_what_transforms_make(self) -> None:
        """Nobody knows what a transform makes of another type, so it stays, and is told."""
        mapping = FieldMapping("UF_X", "deal", "comments", transform="shout")
        assert (
            [mapping],
            ["mapping UF_X → deal.comments by shout: doubtful (type)"],
        ) == self.after(mapping, lead=[Field("UF_X", "integer")])
        several = attrs.evolve(X, multiple=True)
        assert ["mapping UF_X → deal.comments by shout: doubtful (multiple)"] == (
            self.after(mapping, lead=[several])[1]
        )
        assert ([mapping], []) == self.after(mapping, lead=[attrs.evolve(X, max_length=5)])

    def test_what_is_made_of_several(self) -> None:
        """A template takes whatever its places hold; only what holds it can get too short."""
        mapping = FieldMapping.joined("deal", "UF_X", "{UF_X} / {UF_Y}")
        assert ([mapping], []) == self.after(mapping, lead=[Field("UF_X", "integer"), Y])
        assert (
            [mapping],
            ["mapping UF_X and UF_Y → deal.UF_X: doubtful (max_length)"],
        ) == self.after(mapping, deal=[attrs.evolve(X, max_length=9)])
        assert (
            [],
            [
                (
                    "mapping UF_X and UF_Y → deal.UF_X: dropped"
                    " (UF_X does not fit a template: it holds integer)"
                )
            ],
        ) == self.after(mapping, deal=[Field("UF_X", "integer")])

    def test_a_conflict_rule_that_cannot_be_any_more(self) -> None:
        """A mapping whose conflict rule does not go with the new type is dropped, with why."""
        added = Field("UF_N", "text", multiple=True)
        rules = crm([added], [added], FieldMapping("UF_N", "deal", conflict="append"))
        single = attrs.evolve(added, multiple=False)
        [dropped] = refresh(rules, {"deal": [single]}).dropped
        assert ["bad_conflict"] == [problem.code for problem in dropped.problems]


class TestParts:
    def test_match_rules(self) -> None:
        """A match rule loses the keys there are no more; it never matches by a part of one."""
        mail = Field("UF_MAIL", "email", multiple=True)
        bill = Kind("bill", fields=[BACK, Y], custom=[X, mail], keys={"note": ["UF_X", "UF_Y"]})
        lead = attrs.evolve(LEAD, custom=[X], keys={"note": ["UF_X", "title"]})
        rules = [
            MatchRule("bill", ["email", ["email", "note"]], "merge"),
            MatchRule("bill", ["note"], "refuse"),
            MatchRule("contact", ["email"]),
        ]
        before = attrs.evolve(crm(more=[bill]), lead=lead, matching=Matching(rules, enrich=True))
        refreshed = refresh(before, {"bill": [mail]})
        assert [
            "field bill.UF_X: vanished",
            "key note of bill: dropped (UF_X)",
            "match rule for bill: reduced (email and note)",
            "match rule for bill: dropped (note)",
        ] == told(refreshed)
        expected = Matching([MatchRule("bill", ["email"], "merge"), rules[2]], enrich=True)
        assert expected == refreshed.rules.matching

    def test_grants(self) -> None:
        """A grant names the fields there still are; without any it goes. None permits more."""
        x, y = (attrs.evolve(field, sensitive=True) for field in (X, Y))
        role = Role(
            "sales",
            [
                Grant("deal", "read", fields=["UF_X", "UF_Y"]),
                Grant("deal", ["read", "update"], fields="UF_X"),
                Grant("*", "read", fields="*"),
                Grant("deal", "read", "own"),
            ],
            forbids=[Grant("deal", "update", fields=["UF_X", "UF_Y"])],
        )
        refreshed = refresh(crm(deal=[x, y], policy=Policy([role])), {"deal": [y]})
        assert [
            "field deal.UF_X: vanished",
            "role sales: reduced (UF_X)",
            "role sales: reduced (UF_X)",
            "role sales: dropped (there is no field of deal 'UF_X', did you mean 'UF_Y'?)",
        ] == told(refreshed)
        expected = Role(
            "sales",
            [
                Grant("deal", "read", fields="UF_Y"),
                Grant("*", "read", fields="*"),
                Grant("deal", "read", "own"),
            ],
            forbids=[Grant("deal", "update", fields="UF_Y")],
        )
        assert Policy([expected]) == refreshed.rules.policy

    def test_a_grant_that_its_role_forbids_now(self) -> None:
        """What is left of a grant, and forbidden whole by its role, can never apply."""
        x, y = (attrs.evolve(field, sensitive=True) for field in (X, Y))
        role = Role(
            "sales",
            [Grant("deal", "read", fields=["UF_X", "UF_Y"])],
            forbids=[Grant("deal", ["read", "update"], fields="UF_Y")],
        )
        refreshed = refresh(crm(deal=[x, y], policy=Policy([role])), {"deal": [y]})
        assert ["never_applies"] == [one.code for one in refreshed.dropped[0].problems]
        assert () == refreshed.rules.policy.roles[0].grants

    def test_children(self) -> None:
        """Activities travel the ways there still are, and get the values there still are."""
        task = Kind(
            "task",
            custom=[
                Field("lead_ids", "reference", to="lead", multiple=True),
                Field("deal_ids", "reference", to="deal", multiple=True),
                Field("contact_ids", "reference", to="contact", multiple=True),
                Field("done", "boolean"),
                Field("how", "text"),
            ],
            converted_from=None,
        )
        rule = ChildRule(
            task, {"deal": "move", "contact": "share"}, close={"done": True, "how": "x"}
        )
        rules = crm(children=[rule])
        lead, deal, contact, done, _ = task.custom
        refreshed = refresh(
            rules, {"task": [lead, attrs.evolve(contact, multiple=False), deal, done]}
        )
        assert [
            "field task.contact_ids: changed (multiple)",
            "field task.how: vanished",
            "child rule for task: reduced (contact; how)",
        ] == told(refreshed)
        [left] = refreshed.rules.children
        assert ((("deal", "move"),), {"done": True}) == (left.into, left.close)

        alone = refresh(rules, {"task": [deal, contact, done, Field("how", "text")]})
        assert [
            "field task.lead_ids: vanished",
            ("child rule for task: dropped (a child rule cannot be: no field points at kind lead)"),
        ] == told(alone)
        assert () == alone.rules.children

    def test_rights_on_children_that_are_gone(self) -> None:
        """With the kind of children goes what a policy says of it."""
        note = Kind("note", custom=[Field("of", "reference", to="lead"), Y], converted_from=None)
        policy = Policy([Role("sales", [Grant("note", "read"), Grant("deal", "read")])])
        rules = crm(children=[ChildRule(note)], policy=policy)
        refreshed = refresh(rules, {"note": [Y]})
        assert [Grant("deal", "read")] == list(refreshed.rules.policy.roles[0].grants)
        assert "role sales: dropped (there is no kind 'note')" in told(refreshed)

    def test_automation(self) -> None:
        """A rule whose condition cannot be judged any more goes whole; values go alone."""
        rules = [
            AutomationRule("noted", ["deal"], on="work", when=Where("UF_X", "filled")),
            AutomationRule("warm", ["deal"], on="work", when=Where("UF_HEAT", "equals", "warm")),
            AutomationRule(
                "all", [Create("deal", values={"UF_X": "a", "title": "T"}), "contact"], on="new"
            ),
        ]
        automation = Automation(Actor("robot"), rules)
        before = crm([X, HEAT], [X], automation=automation)
        cold = attrs.evolve(HEAT, options=["cold"])
        refreshed = refresh(before, {"lead": [cold], "deal": []})
        assert [
            "field lead.UF_X: vanished",
            "field lead.UF_HEAT: changed (options)",
            "field deal.UF_X: vanished",
            "automation rule all: reduced (UF_X)",
            "automation rule noted: dropped (there is no field of lead 'UF_X')",
            (
                "automation rule warm: dropped (a condition on UF_HEAT cannot be:"
                " the value does not fit: unknown_option)"
            ),
        ] == told(refreshed)
        left = AutomationRule("all", [Create("deal", values={"title": "T"}), "contact"], on="new")
        assert attrs.evolve(automation, rules=[left]) == refreshed.rules.automation

    def test_owners_leftovers_columns_limits(self) -> None:
        """Whatever else names a field that is gone goes, and nothing else does."""
        owners = [
            OwnerRule("deal", "listed", among=["u-1"], when=Where("UF_X", "filled")),
            OwnerRule("deal", "actor"),
        ]
        columns = [Column.leave("Other"), Column("Note", "UF_X"), Column("Nr", "id")]
        rules = crm(
            [X],
            [X],
            owners=owners,
            leftovers=[Leftovers("deal", "UF_X"), Leftovers("contact")],
            columns=columns,
            limits=[Limit("deal", "no_open")],
        )
        refreshed = refresh(rules, {"lead": [], "deal": []})
        assert [
            "field lead.UF_X: vanished",
            "field deal.UF_X: vanished",
            "owner rule for deal: dropped (there is no field of lead 'UF_X')",
            "leftovers → deal.UF_X: dropped (there is no field of deal 'UF_X')",
            "column Note → UF_X: dropped (there is no field of lead 'UF_X')",
        ] == told(refreshed)
        after = refreshed.rules
        assert (owners[1],) == after.owners
        assert (Leftovers("contact"),) == after.leftovers
        assert (columns[0], columns[2]) == after.columns
        assert (Limit("deal", "no_open"),) == after.limits

    def test_what_was_declined(self) -> None:
        """What was declined stays so, as long as there is the field."""
        rules = crm([X, Y], [], declined={"UF_X": ["deal"], "UF_Y": ["contact"]})
        assert {"UF_Y": ("contact",)} == refresh(rules, {"lead": [Y]}).rules.declined


class TestSuggestions:
    def test_a_new_field_with_a_namesake(self) -> None:
        """A new field on either side is suggested for its namesake, once."""
        rules = crm([X], [])
        there = Field("UF_THERE", "text", label="note")
        refreshed = refresh(rules, {"deal": [there]})
        assert (
            Suggestion(source="UF_X", kind="deal", target="UF_THERE", candidates=["UF_THERE"]),
        ) == refreshed.suggestions
        assert () == refresh(refreshed.rules, {"deal": [there]}).suggestions
        [suggestion] = refresh(crm([], [there]), {"lead": [X]}).suggestions
        assert "UF_X → deal.UF_THERE" == str(suggestion)

    def test_a_label_that_diverges(self) -> None:
        """A mapping outlives its labels: nothing is dropped or added since a label changed."""
        rules = spread(crm([X], [X]), "UF_X", into={"deal": "UF_X"}).rules
        german = attrs.evolve(X, label="Notiz")
        refreshed = refresh(rules, {"deal": [german]})
        assert ["field deal.UF_X: changed (label)"] == told(refreshed)
        assert rules.mappings == refreshed.rules.mappings
        assert () == refreshed.suggestions

    def test_a_dropped_mapping_is_suggested_anew(self) -> None:
        """Where the field came back under another id, its namesake is suggested."""
        rules = spread(crm([X]), "UF_X", into={"deal": NEW}).rules
        other = Field("UF_CRM_1", "text", label="Note")
        refreshed = refresh(rules, {"deal": [other]})
        assert ["UF_X → deal.UF_CRM_1"] == list(map(str, refreshed.suggestions))
        assert {"UF_X": ("company", "contact")} == refreshed.rules.declined

    def test_what_was_declined_is_not_suggested(self) -> None:
        """Declined is not mapped: it stays declined, and can be taken back."""
        rules = spread(crm([X]), "UF_X", into={"contact": NEW}).rules
        refreshed = refresh(rules, {"deal": [X]})
        assert () == refreshed.suggestions
        again = refresh(reconsider(rules, "UF_X"), {"deal": [X]})
        assert ["UF_X → deal.UF_X"] == list(map(str, again.suggestions))

    def test_one_that_is_not_plain_any_more(self) -> None:
        """A second namesake makes a suggestion doubtful, which is told."""
        rules = crm([X], [X])
        [suggestion] = refresh(rules, {"deal": [X, attrs.evolve(X, id="UF_2")]}).suggestions
        assert Doubt.AMBIGUOUS is suggestion.doubt

    def test_adjustments_are_plain(self) -> None:
        """What became of what survives pickle, copy and JSON."""
        rules = crm([X], [X], FieldMapping("UF_X", "deal"))
        codec = Codec(rules)
        for one in refresh(rules, {"lead": [], "deal": [HEAT]}).adjustments:
            assert one == pickle.loads(pickle.dumps(one))  # noqa: S301 - our own
            assert one == copy.deepcopy(one)
            data = json.loads(json.dumps(codec.to_data(one)))
            assert one == codec.from_data(data, Adjustment)

    def test_a_preset(self) -> None:
        """Rules of a real size lose all custom fields and stand; system fields stay."""
        rules = presets.bitrix24()
        lists: Mapping[str, list[Field]] = {kind.id: [] for kind in rules.every_kind}
        assert rules == refresh(rules, lists, prefix="UF_").rules
        bare = refresh(rules, lists)
        assert not any(kind.custom for kind in bare.rules.every_kind)
        assert set(bare.rules.mappings) <= set(rules.mappings)


def _renders(template: str, values: Mapping[str, str]) -> object:
    """The text that a template makes of *values*."""
    return FieldMapping.joined("deal", "comments", template).drawn(values, {})


@st.composite
def changes(draw: st.DrawFn, rules: ConversionRules) -> dict[str, list[Field]]:
    """Draw what a host's lists of custom fields have become."""
    found: dict[str, list[Field]] = {}
    for kind in rules.every_kind:
        fields: list[Field] = []
        for field in kind.custom:
            others = st.sampled_from(
                [
                    Field(field.id, "text", max_length=5),
                    Field(field.id, "text", multiple=True),
                    Field(field.id, "integer"),
                    Field(field.id, "enumeration", options=[Option("b", "B"), "z"]),
                    Field(field.id, "enumeration", options=["z"], multiple=True),
                    attrs.evolve(field, label="Other", default=None),
                ]
            )
            drawn = draw(st.none() | st.just(field) | others)
            fields += [] if drawn is None else [drawn]
        if draw(st.booleans()):
            fields.append(Field("UF_new", "text", label="New"))
        if draw(st.integers(0, 3)):
            found[kind.id] = draw(st.permutations(fields))
    return found


class TestLaws:
    @settings(max_examples=150)
    @given(conversion_rules(restricted=True), st.data())
    def test_what_fits_stays_and_what_goes_is_told(
        self, rules: ConversionRules, data: st.DataObject
    ) -> None:
        """Whatever vanishes or changes, rules are left, and every mapping stays or is told."""
        fields = data.draw(changes(rules))
        refreshed = refresh(rules, fields)
        after = refreshed.rules
        touched = {one.place: one.outcome for one in refreshed.adjustments}

        old, new = ({kind.id: kind.members for kind in one.every_kind} for one in (rules, after))
        for mapping in rules.mappings:
            outcome = touched.get(f"mapping {mapping}")
            if mapping not in after.mappings:
                assert outcome in (Adjusted.DROPPED, Adjusted.REDUCED)
            named = [("lead", name) for name in mapping.sources]
            named += [(mapping.kind, str(mapping.target))] if mapping.kind else []
            if all(old[kind].get(name) == new[kind].get(name) for kind, name in named):
                assert mapping in after.mappings
                assert outcome is None
        for kind, members in old.items():
            for name in members.keys() - new.get(kind, members).keys():
                assert Adjusted.VANISHED is touched[f"field {kind}.{name}"]

    @settings(max_examples=60)
    @given(conversion_rules(restricted=True), st.data())
    def test_refreshing_again_changes_nothing(
        self, rules: ConversionRules, data: st.DataObject
    ) -> None:
        """The same lists a second time, in any order, find everything as it is."""
        fields = data.draw(changes(rules))
        once = refresh(rules, fields).rules
        again = refresh(once, {name: reversed(listed) for name, listed in fields.items()})
        assert Refreshed(rules=once, adjustments=(), suggestions=()) == again

    @settings(max_examples=60)
    @given(conversion_rules(restricted=True), st.data())
    def test_nobody_may_more(self, rules: ConversionRules, data: st.DataObject) -> None:
        """Whatever vanishes, nobody may do what they might not do before."""
        after = refresh(rules, data.draw(changes(rules))).rules
        actor = data.draw(actors(rules))
        for request in data.draw(st.lists(access_requests(after), max_size=8)):
            if after.policy.decide(actor, request).allowed:
                assert rules.policy.decide(actor, request).allowed

    @settings(max_examples=150)
    @given(st.data())
    def test_a_shorter_template_says_the_same(self, data: st.DataObject) -> None:
        """A template without a field says what it said of leads where that was empty."""
        names = data.draw(
            st.lists(st.sampled_from(["UF_X", "UF_Y", "title", "source"]), min_size=1)
        )
        texts = st.text("{} -", max_size=3)
        written = "".join(
            f"{data.draw(texts).replace('{', '{{').replace('}', '}}')}{{{name}}}" for name in names
        )
        written += data.draw(texts).replace("{", "{{").replace("}", "}}")
        rules = crm([X, Y], [], FieldMapping.joined("deal", "comments", written))
        left = refresh(rules, {"lead": [Y]}).rules.mappings[1:]
        values = {
            name: value
            for name in ("UF_Y", "title", "source")
            if (value := data.draw(st.sampled_from(["", "a", "b"])))
        }
        if set(names) == {"UF_X"}:
            assert () == left
        else:
            [mapping] = left
            assert _renders(written, values) == mapping.drawn(values, {})
            places = [name for _, name, _, _ in Formatter().parse(mapping.template or "") if name]
            assert [name for name in names if name != "UF_X"] == places
