"""What an actor may see and fill: nothing hidden is told to them, or demanded of them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import cast

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Actor,
    Authorizer,
    ConversionRules,
    Create,
    Decision,
    Field,
    FieldMapping,
    Grant,
    Kind,
    Known,
    Lead,
    Pipeline,
    Plan,
    Policy,
    Required,
    Role,
    Stage,
    can_convert,
    plan,
)
from leadconvert.kinds import LEAD
from leadconvert.rights import Rights


AT = datetime(2027, 1, 31, 12, tzinfo=UTC)
ADA = Actor("u-7", roles=["sales"])
BACK = Field("converted_from", "reference", to="lead", multiple=True)
LEADS = Pipeline("leads", "lead", ["new", Stage("done", "success")])
NEW = Lead(id="L-7", stage="new")
ALL = Grant("*", ["read", "update", "create", "convert", "move"])
SEE, FILL = Grant("*", "read", fields="*"), Grant("*", ["read", "update"], fields="*")


def secret(name: str, **more: object) -> Field:
    """A text that not everybody may see."""
    described = Field(name, "text", label=name.upper(), sensitive=True)
    return attrs.evolve(described, **more)  # type: ignore[arg-type] # by the name of an attribute


def rules(
    *fields: Field,
    grants: Iterable[Grant] = (),
    any_of: Iterable[Iterable[str]] = (),
    custom: Iterable[Field] = (),
    mappings: Iterable[FieldMapping] = (),
) -> ConversionRules:
    """Rules with one kind of one's own; sales may do everything but what is sensitive."""
    return ConversionRules(
        lead=attrs.evolve(LEAD, custom=custom),
        kinds=[Kind("bill", fields=[*fields, BACK], any_of=any_of)],
        pipelines=[LEADS],
        mappings=mappings,
        policy=Policy([Role("sales", [ALL, *grants])]),
    )


def looked(by: ConversionRules, values: object = None, lead: Lead = NEW) -> Plan:
    """What ADA is told when a bill is to be made."""
    given = cast("dict[str, object]", values or {})
    return plan(lead, [Create("bill", values=given)], rules=by, actor=ADA, at=AT)


def told(p: Plan) -> list[tuple[str, str | None]]:
    """Code and field of each problem."""
    return [(problem.code, problem.field) for problem in p.problems]


class TestRequired:
    def test_hidden(self) -> None:
        """A hidden field that is required is one problem without a name; the host learns which."""
        p = looked(rules(secret("a", required=True), secret("b", required=True)))
        assert [("hidden", None)] == told(p)
        assert [("required", "a"), ("required", "b")] == [
            (one.code, one.field) for one in p.withheld
        ]
        assert () == p.form

    def test_seen_but_not_theirs_to_fill(self) -> None:
        """A field they see and may not fill is named, and asked of nobody in the form."""
        p = looked(rules(secret("a", required=True), grants=[SEE]))
        assert [("required_of_others", "a")] == told(p)
        assert ("A",) == p.problems[0].params["labels"]
        assert () == p.form

    def test_one_of_several(self) -> None:
        """Of a group only what they may fill is asked for; else what they see is named."""
        group = [secret("a"), Field("b", "text")]
        p = looked(rules(*group, any_of=[["a", "b"]]))
        assert [("any_required", "b")] == told(p)
        assert ["b"] == [field.field for field in p.form]

        both = [secret("a"), secret("b")]
        assert [("required_of_others", "a")] == told(
            looked(rules(*both, any_of=[["a", "b"]], grants=[SEE]))
        )
        assert [("hidden", None)] == told(looked(rules(*both, any_of=[["a", "b"]])))

    @pytest.mark.parametrize(
        ("amount", "currency", "grants", "expected"),
        [
            (False, False, [], [("currency_required", "currency")]),
            (False, True, [], [("hidden", None)]),
            (True, False, [], [("hidden", None)]),
            (False, True, [SEE], [("required_of_others", "currency")]),
            (False, True, [FILL], [("currency_required", "currency")]),
        ],
    )
    def test_a_currency(
        self,
        amount: bool,
        currency: bool,
        grants: list[Grant],
        expected: list[tuple[str, str | None]],
    ) -> None:
        """A missing currency is told to whoever sees both fields, and asked of who may fill it."""
        money = Field("amount", "money", currency="currency", sensitive=amount, default=5)
        by = rules(money, Field("currency", "text", sensitive=currency), grants=grants)
        assert expected == told(looked(by))

    def test_by_the_stage_of_a_new_record(self) -> None:
        """What its stage asks for is demanded but of those who cannot see it."""
        kind = Kind("bill", fields=[secret("a"), Field("stage", "text"), BACK], stage="stage")
        pipeline = Pipeline("bills", "bill", ["open"], required=[Required("a")])

        def made(*grants: Grant) -> list[tuple[str, str | None]]:
            return told(
                looked(
                    ConversionRules(
                        kinds=[kind],
                        pipelines=[LEADS, pipeline],
                        policy=Policy([Role("sales", [ALL, *grants])]),
                    )
                )
            )

        assert [] == made()
        assert [("required_of_others", "a")] == made(SEE)
        assert [("required_at", "a")] == made(FILL)


class TestSupplied:
    def test_in_values(self) -> None:
        """A hidden field is answered as unknown, one not theirs to fill by its name."""
        assert [("unknown_field", "a")] == told(looked(rules(secret("a")), {"a": "x"}))
        assert [("not_editable", "a")] == told(looked(rules(secret("a"), grants=[SEE]), {"a": "x"}))
        assert looked(rules(secret("a"), grants=[FILL]), {"a": "x"}).ok

    def test_in_carry(self) -> None:
        """So it is where a custom field of the lead is to be carried into one."""
        lead = attrs.evolve(NEW, custom={"UF_X": "x"})

        def carried(*grants: Grant) -> list[tuple[str, str | None]]:
            by, carry = rules(secret("a"), grants=grants), {"UF_X": {"bill": "a"}}
            return told(plan(lead, ["bill"], rules=by, actor=ADA, at=AT, carry=carry))

        assert [("unknown_field", "a")] == carried()
        assert [("not_editable", "a")] == carried(SEE)
        assert [] == carried(FILL)


class TestShown:
    def test_what_reaches_nothing(self) -> None:
        """What is dropped is shown but for hidden fields of the lead."""
        by = rules(custom=[secret("UF_A"), Field("UF_B", "text")])
        lead = attrs.evolve(NEW, custom={"UF_A": "x", "UF_B": "y"})
        p = looked(by, lead=lead)
        assert ["UF_A", "UF_B"] == [row.field for row in p.dropped]
        assert ["UF_B"] == [row.field for row in p.shown().dropped]
        assert ["UF_B"] == [question.field for question in p.questions]

    def test_a_mapping_that_names_what_is_hidden(self) -> None:
        """The text of a mapping is left out where it names a hidden field."""
        mapping = FieldMapping("title", "bill", "name", fallbacks=["UF_A"])
        by = rules(Field("name", "text"), custom=[secret("UF_A")], mappings=[mapping])
        p = looked(by, lead=attrs.evolve(NEW, title="T"))
        assert ["title or UF_A → bill.name"] == [row.mapping for row in p.explain()]
        assert [None] == [row.mapping for row in p.shown().explain()]

    def test_a_value_from_a_hidden_field(self) -> None:
        """A value that came from a hidden field is not shown where it went, and travels."""
        by = rules(
            Field("name", "text"),
            custom=[secret("UF_A")],
            mappings=[FieldMapping("UF_A", "bill", "name")],
        )
        p = looked(by, lead=attrs.evolve(NEW, custom={"UF_A": "x"}))
        assert "x" == p.result().all("bill")[0].custom["name"]
        assert {"converted_from": ("L-7",)} == p.shown().targets[0].values
        assert () == p.shown().explain()


class TestChoices:
    def test_many_kinds(self) -> None:
        """Of more than eight kinds the combinations are not listed in the problem."""
        kinds = [Kind(f"k{number}", fields=[BACK]) for number in range(9)]

        def listed(count: int) -> object:
            by = ConversionRules(
                kinds=kinds[:count], pipelines=[LEADS], policy=Policy([Role("sales", [ALL])])
            )
            [problem] = plan(NEW, [], rules=by, actor=ADA, at=AT).problems
            assert count == len(can_convert(NEW, ADA, by).kinds)
            return problem.params.get("combinations")

        assert 2**8 - 1 == len(cast("tuple[object, ...]", listed(8)))
        assert listed(9) is None


class TestRights:
    def test_an_engine_that_breaks_its_promise(self) -> None:
        """Whatever is no decision is refused, so that nothing true by chance permits."""

        class Careless:
            def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
                return cast("Decision", f"{actor.id} may {request.action}")

        careless: Authorizer = Careless()
        rights = Rights(actor=ADA, authorizer=careless, rules=rules())
        with pytest.raises(TypeError, match=r"an authorizer returns a Decision, this one .* a str"):
            rights.may(AccessRequest(action="read", kind="bill"))

    def test_two_that_decide(self) -> None:
        """An engine and answers given before are one too many."""
        with pytest.raises(TypeError, match="give authorizer= or decisions in known=, not both"):
            plan(
                NEW,
                ["bill"],
                rules=rules(),
                actor=ADA,
                at=AT,
                known=Known(decisions=[]),
                authorizer=Policy(),
            )

    def test_two_answers_to_one_question(self) -> None:
        """Of two answers the denial counts, in either order."""
        asked = AccessRequest(action="read", kind="lead", id="L-7")
        yes, no = (
            Decision(actor_id="u-7", request=asked, allowed=allowed, code=code)
            for allowed, code in ((True, "granted"), (False, "denied"))
        )
        for decisions in ([yes, no], [no, yes]):
            p = plan(
                NEW,
                ["bill"],
                rules=rules(),
                actor=ADA,
                at=AT,
                known=Known(decisions=decisions),
            )
            assert "denied" == p.problems[0].code
