"""How many there may be: a new record never, always, or only if its client has none open."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import attrs
import pytest

from leadconvert import (
    Actor,
    Company,
    Contact,
    ConversionRules,
    Converted,
    Create,
    Deal,
    FieldMapping,
    Grant,
    Known,
    Lead,
    Limit,
    Link,
    Made,
    Matching,
    MatchRule,
    Merge,
    Pipeline,
    Plan,
    Policy,
    Record,
    Ref,
    Rejected,
    Role,
    Stage,
    Target,
    convert_batch,
    convert_many,
    errors,
    plan,
    wanted,
)
from leadconvert.errors import DefinitionError
from leadconvert.kinds import COMPANY, CONTACT, DEAL
from leadconvert.limits import open_records


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADA = Actor("u-1", roles=["r"])
RULES = ConversionRules(
    kinds=[CONTACT, COMPANY, DEAL],
    pipelines=[
        Pipeline("leads", "lead", ["NEW", Stage("DONE", "success")]),
        Pipeline(
            "sales",
            "deal",
            ["open", "review", Stage("won", "success"), Stage("lost", "failure")],
            default=True,
        ),
        Pipeline("service", "deal", ["new", Stage("review", "success")]),
    ],
    mappings=[
        FieldMapping("title", "deal"),
        FieldMapping("contact_ids", "deal"),
        FieldMapping("company_id", "deal"),
        FieldMapping("last_name", "contact"),
        FieldMapping("emails", "contact"),
    ],
    policy=Policy.allow_all(),
)
LEAD = Lead(id="L-7", stage="NEW", title="Engine", contact_ids=["C-3"], company_id="CO-9")
CLIENTS = (Contact(id="C-3", last_name="Byron"), Company(id="CO-9", name="Engines"))
OPEN = Deal(id="D-5", title="Old", pipeline="sales", stage="open", company_id="CO-9")


def looked(
    made: str,
    *into: str | Target,
    known: Iterable[Record] = (),
    lead: Lead = LEAD,
    rules: ConversionRules = RULES,
) -> Plan:
    """What is planned where deals are limited."""
    limited = attrs.evolve(rules, limits=[Limit("deal", made)])
    there = Known(records=[*CLIENTS, *known])
    return plan(lead, into, rules=limited, actor=ADA, at=AT, known=there)


def codes(p: Plan) -> list[tuple[int | None, str | None, str]]:
    """Where each problem is, and what it is."""
    return [(one.target, one.kind, one.code) for one in p.problems]


class TestAlways:
    def test_as_without_a_limit(self) -> None:
        """However many are open, another one is made."""
        assert looked("always", "deal", "deal", known=[OPEN]).ok


class TestNever:
    @pytest.mark.parametrize("target", ["deal", Create("deal"), Create("deal", id="D-8")])
    def test_no_new_one(self, target: str | Target) -> None:
        """The rules make none, be it asked for by name or on purpose."""
        p = looked("never", target)

        assert [(0, "deal", "never_made")] == codes(p)
        assert "the rules make no deal (leave it out, or choose one with Link)" == (
            str(p.problems[0])
        )
        with pytest.raises(errors.InvalidTargetError):
            p.result()

    @pytest.mark.parametrize("target", [Link("deal", "D-5"), Merge("deal", "D-5")])
    def test_one_that_exists(self, target: Target) -> None:
        """A deal that is there may be chosen all the same."""
        assert looked("never", target, known=[OPEN]).ok

    def test_a_client_that_is_found(self) -> None:
        """A client the lead is bound to is no new one either."""
        by = attrs.evolve(RULES, limits=[Limit("contact", "never")])
        known = Known(records=CLIENTS)
        bound, unbound = LEAD, attrs.evolve(LEAD, contact_ids=[], last_name="King")

        assert plan(bound, ["contact"], rules=by, actor=ADA, at=AT, known=known).ok
        assert [(0, "contact", "never_made")] == codes(
            plan(unbound, ["contact"], rules=by, actor=ADA, at=AT, known=known)
        )

    def test_other_kinds(self) -> None:
        """What is not limited is made beside it, and told apart."""
        contact = Create("contact", values={"last_name": "King"})

        assert [(1, "deal", "never_made")] == codes(looked("never", contact, "deal"))


class TestNoOpen:
    def test_a_client_with_an_open_deal(self) -> None:
        """Whose company has an open deal makes no other; it is said which."""
        p = looked("no_open", "deal", known=[OPEN])

        assert [(0, "deal", "has_open")] == codes(p)
        assert {"client": "company", "id": "D-5"} == p.problems[0].params
        with pytest.raises(errors.InvalidTargetError, match="has an open deal already"):
            p.result()

    @pytest.mark.parametrize("stage", ["won", "lost"])
    def test_a_client_whose_deals_are_closed(self, stage: str) -> None:
        """Won or lost, it does not stand in the way."""
        assert looked("no_open", "deal", known=[attrs.evolve(OPEN, stage=stage)]).ok

    def test_a_client_without_deals(self) -> None:
        """Where there is none open, one is made; so is one without any client."""
        lonely = attrs.evolve(LEAD, contact_ids=[], company_id=None)

        assert looked("no_open", "deal").ok
        assert looked("no_open", "deal", known=[OPEN], lead=lonely).ok

    @pytest.mark.parametrize("target", [Link("deal", "D-5"), Merge("deal", "D-5")])
    def test_the_open_one(self, target: Target) -> None:
        """The way out is to choose the open one."""
        assert looked("no_open", target, known=[OPEN]).ok

    def test_by_any_of_its_contacts(self) -> None:
        """Every contact of the new deal is looked at, also one chosen here."""
        theirs = attrs.evolve(OPEN, company_id=None, contact_ids=["C-1", "C-4"])
        chosen = Contact(id="C-4", last_name="King")
        alone = attrs.evolve(LEAD, contact_ids=[], company_id=None)

        assert ["has_open"] == [
            one.code
            for one in looked(
                "no_open", Link("contact", "C-4"), "deal", known=[theirs, chosen], lead=alone
            ).problems
        ]
        assert looked("no_open", Create("deal"), known=[theirs, chosen], lead=alone).ok

    def test_a_client_that_is_found(self) -> None:
        """A client found by matching counts like one chosen."""
        by = attrs.evolve(RULES, matching=Matching([MatchRule("contact", ["person"], "link")]))
        lead = attrs.evolve(LEAD, contact_ids=[], first_name="Ada", last_name="King")
        ada = Contact(id="C-4", first_name="ada", last_name="KING")
        theirs = attrs.evolve(OPEN, company_id=None, contact_ids=["C-4"])

        assert [(1, "deal", "has_open")] == codes(
            looked("no_open", "contact", "deal", known=[ada, theirs], lead=lead, rules=by)
        )

    def test_one_the_actor_may_not_read(self) -> None:
        """A deal out of sight is not told of, and does not stand in the way."""
        grants = [
            Grant("lead", ["read", "update", "convert", "move"]),
            Grant("contact", ["read", "link"]),
            Grant("company", ["read", "link"]),
            Grant("deal", "create"),
        ]
        by = attrs.evolve(RULES, policy=Policy([Role("r", grants)]))

        assert looked("no_open", "deal", known=[OPEN], rules=by).ok

    def test_what_to_load(self) -> None:
        """`wanted` says by which fields of which kind to look for each client's deals."""
        limited = attrs.evolve(RULES, limits=[Limit("deal", "no_open")])

        assert {
            ("deal", "contact_ids", Ref("contact", "C-3")),
            ("deal", "company_id", Ref("company", "CO-9")),
        } == {*wanted(LEAD, ["deal"], rules=limited).related}
        assert () == wanted(LEAD, ["contact"], rules=limited).related
        assert () == wanted(LEAD, ["deal"], rules=RULES).related
        never = attrs.evolve(RULES, limits=[Limit("deal", "never")])
        assert () == wanted(LEAD, ["deal"], rules=never).related

    def test_two_leads_of_one_client_in_a_batch(self) -> None:
        """Of a whole batch the first makes the deal, and the others are told, in any order."""
        limited = attrs.evolve(RULES, limits=[Limit("deal", "no_open")])
        leads = [attrs.evolve(LEAD, id=id_) for id_ in ("L-3", "L-1", "L-2")]
        known = Known(records=CLIENTS)
        batch = convert_batch(leads, ["deal"], rules=limited, actor=ADA, at=AT, known=known)

        assert [Rejected, Converted, Rejected] == [type(one) for one in batch]
        assert isinstance(batch[0], Rejected)
        [problem] = batch[0].error.problems
        assert ("has_open", "L-1.1.deal.1") == (problem.code, problem.params["id"])

    def test_on_a_stream(self) -> None:
        """On a stream it is so as far as it remembers."""
        limited = attrs.evolve(RULES, limits=[Limit("deal", "no_open")])
        leads = [attrs.evolve(LEAD, id=id_) for id_ in ("L-1", "L-2")]
        known = Known(records=CLIENTS)

        def done(twins: int) -> list[type]:
            many = convert_many(
                leads, ["deal"], rules=limited, actor=ADA, at=AT, known=known, twins=twins
            )
            return [type(one) for one in many]

        assert [Converted, Converted] == done(0)
        assert [Converted, Rejected] == done(1)


class TestOpenRecords:
    CLIENT = Ref("company", "CO-9")

    def found(self, **values: str) -> list[str]:
        """The deals of the client that are open, given one with these values."""
        deal = Deal(id="D-5", company_id="CO-9", **values)  # type: ignore[arg-type]  # all are text
        there: dict[Ref, Record] = {
            Ref("deal", "D-5"): deal,
            Ref("deal", "D-6"): Deal(id="D-6", stage="open", company_id="CO-1"),
            Ref("contact", "C-1"): Contact(id="C-1", company_id="CO-9"),
        }
        found = [*open_records(DEAL, RULES.pipelines_of("deal"), [self.CLIENT], there)]
        assert {self.CLIENT} >= {client for _, client in found}
        return [ref.id for ref, _ in found]

    @pytest.mark.parametrize(
        ("pipeline", "stage", "expected"),
        [
            ("sales", "open", True),
            ("sales", "review", True),
            ("service", "new", True),
            ("service", "review", False),
            ("sales", "won", False),
            ("sales", "lost", False),
            ("sales", "new", False),
        ],
    )
    def test_in_its_own_pipeline(self, pipeline: str, stage: str, expected: bool) -> None:
        """A stage means what it means in the pipeline in which the record stands."""
        assert expected == bool(self.found(pipeline=pipeline, stage=stage))

    @pytest.mark.parametrize("pipeline", [{}, {"pipeline": " "}, {"pipeline": "of long ago"}])
    def test_in_no_pipeline_of_ours(self, pipeline: dict[str, str]) -> None:
        """A record in no pipeline that is known is open where its stage is so in any."""
        assert ["D-5"] == self.found(stage="review", **pipeline)
        assert ["D-5"] == self.found(stage="new", **pipeline)
        assert [] == self.found(stage="won", **pipeline)

    def test_every_pointer(self) -> None:
        """It comes once for each of the clients it refers to."""
        deal = Deal(id="D-5", stage="open", company_id="CO-9", contact_ids=["C-1", "C-2"])
        clients = [Ref("contact", "C-2"), Ref("company", "CO-9"), Ref("contact", "C-3")]
        found = open_records(DEAL, RULES.pipelines_of("deal"), clients, {Ref("deal", "D-5"): deal})

        assert [Ref("contact", "C-2"), Ref("company", "CO-9")] == [client for _, client in found]


class TestDefinition:
    @pytest.mark.parametrize("made", list(Made))
    def test_values(self, made: Made) -> None:
        """A limit is a plain value, by name or by member."""
        assert Limit("deal", made) == Limit("deal", made.value)
        assert Limit("deal", made).made is made

    def test_an_unknown_limit(self) -> None:
        """What is no limit is told at once, with the likeliest."""
        with pytest.raises(DefinitionError) as refused:
            Limit("deal", "nver")

        assert "limits: there is no limit 'nver', did you mean 'never'? (correct the name)" == str(
            refused.value
        )

    def test_a_kind_is_text(self) -> None:
        """A kind is named by its id."""
        loose: Callable[..., object] = Limit
        with pytest.raises(TypeError):
            loose(DEAL, "never")

    def test_all_at_once(self) -> None:
        """Every mistake is told when the rules are built, word for word."""
        with pytest.raises(DefinitionError) as refused:
            attrs.evolve(
                RULES,
                limits=[
                    Limit("dael", "never"),
                    Limit("deal", "never"),
                    Limit("deal", "no_open"),
                    Limit("contact", "no_open"),
                    Limit("company", "never"),
                ],
            )

        assert [
            "limits: limit 'deal' stands twice (remove or rename one)",
            "limits: there is no kind 'dael', did you mean 'deal'? (correct the name)",
            (
                "limits: a limit cannot be: a contact has no stages to be open in"
                " (correct or remove it)"
            ),
        ] == [str(one) for one in refused.value.problems]
