"""The readable engine, by its steps: who may, ready, there, asked, filled, missing, nothing."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import attrs
import pytest

from leadconvert import (
    NEW,
    AccessRequest,
    Actor,
    Channel,
    Company,
    Contact,
    ConversionRules,
    Create,
    Deal,
    Field,
    FieldMapping,
    GenericRecord,
    Grant,
    Insert,
    Kind,
    Known,
    Lead,
    Pipeline,
    Plan,
    Policy,
    Ref,
    Role,
    Stage,
    plan,
    presets,
    spread,
    wanted,
)
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADMIN = Actor("u-1", roles=["admin"])
LEADS = Pipeline("leads", "lead", ["new", Stage("done", "success"), Stage("lost", "failure")])
SALES = Pipeline("sales", "deal", ["open", Stage("won", "success")])


def rules(
    *,
    lead: Kind = LEAD,
    kinds: tuple[Kind, ...] = (CONTACT, COMPANY, DEAL),
    pipelines: tuple[Pipeline, ...] = (LEADS, SALES),
    mappings: tuple[FieldMapping, ...] = (),
    policy: Policy | None = None,
    **transforms: object,
) -> ConversionRules:
    """Rules with as little in them as a test needs."""
    return ConversionRules(
        lead=lead,
        kinds=kinds,
        pipelines=pipelines,
        mappings=mappings,
        policy=policy or Policy.allow_all(),
        transforms=transforms,  # type: ignore[arg-type]  # keywords tell mypy no more than object
    )


def shout(value: object) -> object:
    """A transform that loses nothing."""
    return f"{value}!"


def vanish(value: object) -> object:
    """A transform that leaves nothing."""
    del value
    return " "


def fail(value: object) -> object:
    """A transform that raises."""
    raise KeyError(value)


def codes(p: Plan) -> list[tuple[int | None, str | None, str | None, str]]:
    """Where each problem is, and what it is."""
    return [(one.target, one.kind, one.field, one.code) for one in p.problems]


def outcomes(p: Plan, field: str) -> list[tuple[str | None, str, str | None]]:
    """What became of one of the lead's fields."""
    return [(row.target, str(row.outcome), row.reason) for row in p.explain() if row.field == field]


class TestMisuse:
    def test_a_text_as_into(self) -> None:
        """One text where a list of targets belongs is a TypeError that says so."""
        with pytest.raises(TypeError, match=r"write \[...\] around it"):
            plan(Lead(id="L", stage="new"), "deal", rules=rules(), actor=ADMIN, at=AT)

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"lead": Deal(id="D")}, "lead is a Lead, not a Deal"),
            ({"rules": presets.bitrix24}, "rules is a ConversionRules, not a Bitrix24"),
            ({"actor": "u-7"}, "actor is an Actor, not a str"),
            ({"known": [Deal(id="D")]}, "known is a Known, not a list"),
        ],
    )
    def test_a_value_of_another_class(self, wrong: dict[str, object], told: str) -> None:
        """What is handed over in place of a lead, rules, an actor or known is named."""
        right = {"lead": Lead(id="L", stage="new"), "rules": rules(), "actor": ADMIN}
        with pytest.raises(TypeError, match=told):
            plan(into=["deal"], at=AT, **right | wrong)  # type: ignore[arg-type]  # what is refused

    def test_a_naive_moment(self) -> None:
        """The moment of a conversion says its time zone."""
        with pytest.raises(ValueError, match="time zone"):
            plan(
                Lead(id="L", stage="new"),
                ["deal"],
                rules=rules(),
                actor=ADMIN,
                at=datetime(2027, 1, 31),  # noqa: DTZ001 - what is refused
            )

    def test_a_carry_that_is_no_table(self) -> None:
        """An answer in carry= is a table of kinds."""
        with pytest.raises(TypeError, match="carry= maps"):
            plan(
                Lead(id="L", stage="new"),
                ["deal"],
                rules=rules(),
                actor=ADMIN,
                at=AT,
                carry={"UF_X": "deal"},  # type: ignore[dict-item]  # what is refused
            )


class TestWhoMay:
    def test_every_right_on_the_lead_is_needed(self) -> None:
        """Read, update, convert and move are asked for, and nothing else is told without them."""
        p = plan(
            Lead(id="L", stage="lost", owner_id="u-9"),
            ["deal", "nonsense"],
            rules=rules(policy=Policy()),
            actor=Actor("u-1"),
            at=AT,
        )

        assert [
            (None, "lead", None, "no_grant"),
            (None, "lead", None, "no_grant"),
            (None, "lead", None, "no_grant"),
            (None, "lead", None, "no_grant"),
        ] == codes(p)
        assert ["read", "update", "convert", "move"] == [
            problem.params["action"] for problem in p.problems
        ]

    def test_the_questions_are_listed_for_the_host(self) -> None:
        """required_access holds each question once, with the plain values it is judged on."""
        p = plan(
            Lead(id="L", stage="new", owner_id="u-9", title="T"),
            ["deal", "deal"],
            rules=rules(mappings=(FieldMapping("title", "deal"), FieldMapping("owner_id", "deal"))),
            actor=ADMIN,
            at=AT,
        )

        about: dict[str, Any] = {
            "kind": "lead",
            "id": "L",
            "owner_id": "u-9",
            "pipeline": "leads",
            "stage": "new",
        }
        assert (
            AccessRequest(action="read", **about),
            AccessRequest(action="update", **about),
            AccessRequest(action="convert", **about),
            AccessRequest(action="move", to_stage="done", **about),
            AccessRequest(
                action="create", kind="deal", owner_id="u-9", pipeline="sales", stage="open"
            ),
        ) == p.required_access

    def test_every_denied_target_is_named_and_hides_its_own_problems(self) -> None:
        """A denial on one target hides that target's other problems, and only those."""
        policy = Policy([Role("r", [Grant("lead", ["read", "update", "convert", "move"])])])
        policy = attrs.evolve(policy, roles=[*policy.roles, Role("s", [Grant("deal", "create")])])
        p = plan(
            Lead(id="L", stage="new"),
            ["contact", "deal", "company"],
            rules=rules(policy=policy),
            actor=Actor("u-1", roles=["r", "s"]),
            at=AT,
        )

        assert [
            (0, "contact", None, "no_grant"),
            (1, "deal", "title", "required"),
            (2, "company", None, "no_grant"),
        ] == codes(p)
        assert [1] == [field.target for field in p.form]

    def test_create_is_judged_on_what_would_be_written(self) -> None:
        """An owner supplied for the new record decides an own-scope grant."""
        policy = Policy(
            [
                Role(
                    "r",
                    [
                        Grant("lead", ["read", "update", "convert", "move"]),
                        Grant("deal", "create", "own"),
                        Grant("deal", "assign"),
                    ],
                )
            ]
        )
        mine = Create("deal", values={"title": "T", "owner_id": "u-1"})
        theirs = Create("deal", values={"title": "T", "owner_id": "u-2"})
        p = plan(
            Lead(id="L", stage="new"),
            [mine, theirs],
            rules=rules(policy=policy),
            actor=Actor("u-1", roles=["r"]),
            at=AT,
        )

        assert [(1, "deal", None, "out_of_scope")] == codes(p)

    def test_giving_to_another_owner_needs_its_own_right(self) -> None:
        """A record for somebody else than the actor or the lead's owner needs `assign` as well."""
        lead_rights = Grant("lead", ["read", "update", "convert", "move"])
        giver = [lead_rights, Grant("deal", "create"), Grant("deal", "assign", "department")]
        targets = [
            Create("deal", values={"title": "T", "owner_id": owner})
            for owner in ("u-1", "u-9", "u-2", "u-3", None)
        ]
        p = plan(
            Lead(id="L", stage="new", owner_id="u-9"),
            targets,
            rules=rules(policy=Policy([Role("r", giver)])),
            actor=Actor("u-1", roles=["r"], department=["u-2"]),
            at=AT,
        )

        assert [(3, "deal", None, "out_of_scope")] == codes(p)
        assert "assign" == p.problems[0].params["action"]
        assert ["u-2", "u-3"] == [
            asked.owner_id for asked in p.required_access if asked.action == "assign"
        ]
        assert (
            AccessRequest(
                action="assign", kind="deal", owner_id="u-2", pipeline="sales", stage="open"
            )
            in p.required_access
        )

    def test_creating_and_giving_are_denied_apart(self) -> None:
        """Whoever may do neither is told both."""
        policy = Policy([Role("r", [Grant("lead", ["read", "update", "convert", "move"])])])
        p = plan(
            Lead(id="L", stage="new"),
            [Create("deal", values={"title": "T", "owner_id": "u-2"})],
            rules=rules(policy=policy),
            actor=Actor("u-1", roles=["r"]),
            at=AT,
        )

        assert [(0, "deal", None, "no_grant"), (0, "deal", None, "no_grant")] == codes(p)
        assert ["create", "assign"] == [problem.params["action"] for problem in p.problems]


class TestIsTheLeadReady:
    @pytest.mark.parametrize(
        ("stage", "code"),
        [
            ("done", "in_success_stage"),
            ("lost", "in_failure_stage"),
            ("nwe", "unknown_stage"),
        ],
    )
    def test_only_a_lead_in_process(self, stage: str, code: str) -> None:
        """A lead in a success, failure or unknown stage is not converted."""
        p = plan(
            Lead(id="L", stage=stage),
            [Create("deal", values={"title": "T"})],
            rules=rules(),
            actor=ADMIN,
            at=AT,
        )

        assert [(None, "lead", None, code)] == codes(p)

    def test_an_unknown_stage_comes_with_a_guess(self) -> None:
        """The likeliest stage is told."""
        p = plan(Lead(id="L", stage="nwe"), ["contact"], rules=rules(), actor=ADMIN, at=AT)

        assert "did you mean 'new'?" in str(p.problems[0])

    def test_a_converted_lead_says_what_it_became(self) -> None:
        """Converting twice is refused with the records of the first time."""
        first = plan(
            Lead(id="L", stage="new"),
            [Create("deal", values={"title": "T"})],
            rules=rules(),
            actor=ADMIN,
            at=AT,
        ).result()
        p = plan(
            first.lead,
            [Create("deal", values={"title": "T"})],
            rules=rules(),
            actor=ADMIN,
            at=AT,
        )

        assert [(None, "lead", None, "converted")] == codes(p)
        assert ("deal L.1.deal.1",) == p.problems[0].params["became"]

    def test_a_conversion_that_did_not_close_counts_for_the_number(self) -> None:
        """After one that left the lead open, the next has the next number."""
        first = plan(
            Lead(id="L", stage="new"),
            [Create("deal", values={"title": "T"})],
            rules=rules(),
            actor=ADMIN,
            at=AT,
        ).result()
        open_one = attrs.evolve(first.conversion, closing=False)
        lead = attrs.evolve(first.lead, stage="new", conversions=[open_one])
        second = plan(
            lead, [Create("deal", values={"title": "T"})], rules=rules(), actor=ADMIN, at=AT
        ).result()

        assert ("L.2", "L.2.deal.1") == (second.conversion.id, second.deal.id)


class TestWhatIsAskedFor:
    def test_nothing(self) -> None:
        """No targets is a problem that lists the kinds there are."""
        p = plan(Lead(id="L", stage="new"), [], rules=rules(), actor=ADMIN, at=AT)

        assert [(None, None, None, "no_targets")] == codes(p)
        assert ("company", "contact", "deal") == p.problems[0].params["kinds"]

    def test_an_unknown_kind_beside_others(self) -> None:
        """An unknown kind hides only its own target."""
        p = plan(Lead(id="L", stage="new"), ["dael", "deal"], rules=rules(), actor=ADMIN, at=AT)

        assert [(0, None, None, "unknown_kind"), (1, "deal", "title", "required")] == codes(p)

    def test_ids_derived_and_given(self) -> None:
        """Ids say lead, conversion, kind and ordinal, unless one is given."""
        one, two = (
            Create("deal", values={"title": "T"}),
            Create("deal", values={"title": "T"}, id="D"),
        )
        result = plan(
            Lead(id="L", stage="new"), [one, two, one], rules=rules(), actor=ADMIN, at=AT
        ).result()

        assert ["L.1.deal.1", "D", "L.1.deal.3"] == [deal.id for deal in result.all(Deal)]

    @pytest.mark.parametrize(
        ("targets", "known"),
        [
            ([Create("deal", id="D"), Create("deal", id="D")], ()),
            ([Create("contact"), Create("deal", id="D")], (Deal(id="D"),)),
        ],
    )
    def test_an_id_that_is_taken(self, targets: list[Create], known: tuple[Deal, ...]) -> None:
        """Two new records of a kind with one id, or one that exists, are refused."""
        filled = [attrs.evolve(one, values={"title": "T"}) for one in targets if one.kind == "deal"]
        p = plan(
            Lead(id="L", stage="new"),
            filled,
            rules=rules(),
            actor=ADMIN,
            at=AT,
            known=Known(records=known),
        )

        assert [(len(filled) - 1, "deal", None, "duplicate_id")] == codes(p)

    def test_known_records_of_no_kind_are_passed_over(self) -> None:
        """A record the rules know nothing of changes nothing."""
        p = plan(
            Lead(id="L", stage="new"),
            [Create("deal", values={"title": "T"})],
            rules=rules(),
            actor=ADMIN,
            at=AT,
            known=Known(records=[GenericRecord(kind="deal", id="x")]),
        )

        assert p.ok


class TestWhatATargetGets:
    def test_supplied_wins_over_mapped_over_default(self) -> None:
        """What is supplied wins, then the mapping, then the default; a given None stays empty."""
        deal = attrs.evolve(
            DEAL,
            fields=[
                *DEAL.fields,
                Field("comments", "text", default="none"),
                Field("type", "text", default="SALE"),
            ],
        )
        given = rules(
            kinds=(CONTACT, COMPANY, deal),
            mappings=(FieldMapping("comments", "deal"), FieldMapping("title", "deal")),
        )
        lead = Lead(id="L", stage="new", title="Mapped", comments="from the lead")
        targets = [
            Create("deal"),
            Create("deal", values={"title": "Supplied", "comments": None, "type": ""}),
        ]
        p = plan(lead, targets, rules=given, actor=ADMIN, at=AT)
        mapped, supplied = p.result().all(Deal)

        assert ("Mapped", "from the lead", "SALE") == (mapped.title, mapped.comments, mapped.type)
        assert ("Supplied", None, None) == (supplied.title, supplied.comments, supplied.type)
        assert [
            ("deal 1.comments", "carried", None),
            ("deal 2.comments", "overridden", "supplied"),
        ] == outcomes(p, "comments")

    def test_a_supplied_none_is_written_as_none(self) -> None:
        """A store learns that a field was emptied on purpose."""
        target = Create("deal", values={"title": "T", "comments": None})
        result = plan(
            Lead(id="L", stage="new", comments="c"),
            [target],
            rules=rules(mappings=(FieldMapping("comments", "deal"),)),
            actor=ADMIN,
            at=AT,
        ).result()

        [insert, _] = result.changes.changes
        assert isinstance(insert, Insert)
        assert insert.values["comments"] is None

    def test_fallbacks_in_order(self) -> None:
        """The first filled source is carried, the filled ones after it are not needed."""
        mapping = FieldMapping("company_name", "company", "name", fallbacks=["title", "last_name"])
        given = rules(mappings=(mapping,))
        p = plan(
            Lead(id="L", stage="new", title="T", last_name="N"),
            ["company"],
            rules=given,
            actor=ADMIN,
            at=AT,
        )

        assert "T" == p.result().company.name
        assert [("company 1.name", "carried", None)] == outcomes(p, "title")
        assert [("company 1.name", "not_needed", None)] == outcomes(p, "last_name")

    def test_constants_transforms_and_value_maps(self) -> None:
        """A constant is put in, a transform is applied, then the value map."""
        given = rules(
            mappings=(
                FieldMapping("title", "deal", transform="shout"),
                FieldMapping.fixed("deal", "type", "SALE"),
                FieldMapping("source", "deal", values={"WEB": "Website"}),
                FieldMapping("tags", "deal", values={"a": "A"}),
            ),
            shout=shout,
        )
        lead = Lead(id="L", stage="new", title="T", source="WEB", tags=["a", "b"])
        deal = plan(lead, ["deal"], rules=given, actor=ADMIN, at=AT).result().deal

        assert ("T!", "SALE", "Website", ("A", "b")) == (
            deal.title,
            deal.type,
            deal.source,
            deal.tags,
        )

    def test_a_transform_that_leaves_nothing(self) -> None:
        """What a transform makes of nothing is reported, and the next source is tried."""
        mapping = FieldMapping("source", "deal", "title", fallbacks=["title"], transform="vanish")
        given = rules(mappings=(mapping,), vanish=vanish)
        p = plan(Lead(id="L", stage="new", source="WEB"), ["deal"], rules=given, actor=ADMIN, at=AT)

        assert [(0, "deal", "title", "required")] == codes(p)
        assert [(None, "dropped", "transform_empty")] == outcomes(p, "source")

    def test_a_transform_that_raises(self) -> None:
        """It is a problem that names the error's class and no value, told once."""
        given = rules(mappings=(FieldMapping("title", "deal", transform="fail"),), fail=fail)
        p = plan(
            Lead(id="L", stage="new", title="s3cret"), ["deal"], rules=given, actor=ADMIN, at=AT
        )

        assert [(0, "deal", "title", "transform_failed")] == codes(p)
        assert "KeyError" == p.problems[0].params["error"]
        assert "s3cret" not in str(p.problems)
        assert [("deal 1.title", "refused", "transform_failed")] == outcomes(p, "title")

    def test_a_mapped_value_that_does_not_fit(self) -> None:
        """It is refused, asked for in the form, and not also told to be missing."""
        deal = attrs.evolve(
            DEAL, fields=[*DEAL.fields[1:], Field("title", "text", max_length=2, required=True)]
        )
        given = rules(
            kinds=(CONTACT, COMPANY, deal),
            mappings=(FieldMapping("title", "deal"), FieldMapping("source", "deal", "type")),
        )
        p = plan(
            Lead(id="L", stage="new", title="long", source="s"),
            ["deal"],
            rules=given,
            actor=ADMIN,
            at=AT,
        )

        assert [(0, "deal", "title", "too_long")] == codes(p)
        assert [("title", "too_long", ("title",))] == [(f.field, f.why, f.sources) for f in p.form]
        assert [("deal 1.title", "refused", None)] == outcomes(p, "title")

    def test_bad_supplied_values(self) -> None:
        """Unknown, reserved and unfit values are all told, with a guess at the name."""
        values = {
            "titel": "T",
            "converted_from": ["x"],
            "close_date": "soon",
            "amount": Decimal("NaN"),
            "title": "T",
        }
        p = plan(
            Lead(id="L", stage="new"),
            [Create("deal", values=values)],
            rules=rules(),
            actor=ADMIN,
            at=AT,
        )

        assert [
            (0, "deal", "converted_from", "reserved_field"),
            (0, "deal", "titel", "unknown_field"),
            (0, "deal", "close_date", "wrong_type"),
            (0, "deal", "amount", "not_finite"),
        ] == codes(p)
        assert "title" == p.problems[1].params["did_you_mean"]
        assert ["close_date", "amount"] == [field.field for field in p.form]

    def test_pipeline_and_stage(self) -> None:
        """A deal starts in the first stage of the pipeline asked for, or of the default one."""
        service = Pipeline("service", "deal", ["in", Stage("out", "success")], default=True)
        given = rules(pipelines=(LEADS, SALES, service))
        targets = [
            Create("deal", values={"title": "T"}),
            Create("deal", values={"title": "T", "pipeline": "sales"}),
            Create("deal", values={"title": "T", "stage": "out"}),
            Create("deal", values={"title": "T", "pipeline": None}),
        ]
        deals = plan(Lead(id="L", stage="new"), targets, rules=given, actor=ADMIN, at=AT).result()

        assert [("service", "in"), ("sales", "open"), ("service", "out"), ("service", "in")] == [
            (deal.pipeline, deal.stage) for deal in deals.all(Deal)
        ]

    def test_unknown_pipeline_and_stage(self) -> None:
        """Neither is taken on trust."""
        targets = [
            Create("deal", values={"title": "T", "pipeline": "sale"}),
            Create("deal", values={"title": "T", "stage": "wno"}),
        ]
        p = plan(Lead(id="L", stage="new"), targets, rules=rules(), actor=ADMIN, at=AT)

        assert [
            (0, "deal", "pipeline", "unknown_pipeline"),
            (1, "deal", "stage", "unknown_target_stage"),
        ] == codes(p)
        assert ["sales", "won"] == [problem.params["did_you_mean"] for problem in p.problems]

    def test_a_kind_with_stages_but_no_pipeline_field(self) -> None:
        """Where only one pipeline can be meant, only the stage is written."""
        invoice = Kind(
            "invoice",
            fields=[
                Field("status", "text"),
                Field("converted_from", "reference", to="lead", multiple=True),
            ],
            stage="status",
        )
        given = rules(kinds=(invoice,), pipelines=(LEADS, Pipeline("i", "invoice", ["draft"])))
        result = plan(
            Lead(id="L", stage="new"), ["invoice"], rules=given, actor=ADMIN, at=AT
        ).result()

        assert {"status": "draft", "converted_from": ("L",)} == dict(result.records[0].custom)

    def test_a_class_that_refuses_its_values(self) -> None:
        """A constructor that raises is a problem of its target, never an escaping exception."""
        back = Field("converted_from", "reference", to="lead", multiple=True)
        given = rules(kinds=(Kind("odd", Odd, fields=[back]),), pipelines=(LEADS,))
        p = plan(
            Lead(id="L", stage="new"),
            [Create("odd", values={"size": 3}), Create("odd", values={"size": 2})],
            rules=given,
            actor=ADMIN,
            at=AT,
        )

        assert [(0, "odd", None, "constructor_failed")] == codes(p)
        assert "ZeroDivisionError" == p.problems[0].params["error"]
        assert () == p.form


@attrs.frozen(kw_only=True)
class Bare:
    """A record of a user's own with an attribute that may be None but has no default."""

    id: str
    revision: str | None = None
    when: str | None
    converted_from: tuple[str, ...] = ()
    custom: dict[str, object] = attrs.field(factory=dict, hash=False)


class TestBareAttributes:
    def test_none_where_nothing_fills_them(self) -> None:
        """An attribute without a default that may be None is None."""
        back = Field("converted_from", "reference", to="lead", multiple=True)
        given = rules(kinds=(Kind("bare", Bare, fields=[back]),), pipelines=(LEADS,))
        p = plan(Lead(id="L", stage="new"), ["bare"], rules=given, actor=ADMIN, at=AT)

        assert p.result().all(Bare)[0].when is None


@attrs.frozen(kw_only=True)
class Odd:
    """A record of a user's own that takes even sizes only."""

    id: str
    revision: str | None = None
    size: int = attrs.field()
    converted_from: tuple[str, ...] = ()
    custom: dict[str, object] = attrs.field(factory=dict, hash=False)

    @size.validator
    def _even(self, attribute: object, value: int) -> None:
        del attribute
        if value % 2:
            raise ZeroDivisionError(value)


class TestReferences:
    MAPPINGS = (
        FieldMapping("title", "deal"),
        FieldMapping("company_name", "company", "name"),
        FieldMapping("last_name", "contact"),
        FieldMapping("company_id", "contact"),
        FieldMapping("company_id", "deal"),
        FieldMapping("contact_ids", "deal"),
    )
    LEAD = Lead(
        id="L",
        stage="new",
        title="T",
        last_name="N",
        company_name="C",
        company_id="CO-9",
        contact_ids=["C-1"],
    )
    KNOWN = Known(records=[Company(id="CO-9", name="Known"), Contact(id="C-1", last_name="K")])

    def test_records_made_here_come_first(self) -> None:
        """A made company is referred to in place of the bound one; made contacts lead the list."""
        p = plan(
            self.LEAD,
            ["deal", Create("contact"), Create("company"), Create("company")],
            rules=rules(mappings=self.MAPPINGS),
            actor=ADMIN,
            at=AT,
            known=self.KNOWN,
        )
        result = p.result()

        assert "L.1.company.1" == result.contact.company_id == result.deal.company_id
        assert ("L.1.contact.1", "C-1") == result.deal.contact_ids
        assert [
            ("contact 1.company_id", "overridden", "made_here"),
            ("deal 1.company_id", "overridden", "made_here"),
        ] == outcomes(p, "company_id")
        assert ["company", "company", "contact", "deal", "lead"] == [
            change.ref.kind for change in result.changes.changes
        ]
        deal = result.changes.changes[3]
        assert isinstance(deal, Insert)
        assert (
            Ref("contact", "L.1.contact.1", provisional=True),
            Ref("contact", "C-1"),
        ) == deal.values["contact_ids"]

    def test_bound_clients_are_linked(self) -> None:
        """Without new clients the deal points at those the lead is bound to."""
        result = plan(
            self.LEAD,
            ["deal"],
            rules=rules(mappings=self.MAPPINGS),
            actor=ADMIN,
            at=AT,
            known=self.KNOWN,
        ).result()

        assert (("C-1",), "CO-9") == (result.deal.contact_ids, result.deal.company_id)

    def test_a_supplied_record_wins(self) -> None:
        """A second contact may be pointed at by its derived id."""
        result = plan(
            attrs.evolve(self.LEAD, company_id=None, contact_ids=[]),
            ["contact", "contact", Create("deal", values={"contact_ids": ["L.1.contact.2"]})],
            rules=rules(mappings=self.MAPPINGS),
            actor=ADMIN,
            at=AT,
        ).result()

        assert ("L.1.contact.2",) == result.deal.contact_ids

    def test_a_record_not_handed_over(self) -> None:
        """What nobody loaded cannot be pointed at."""
        p = plan(self.LEAD, ["deal"], rules=rules(mappings=self.MAPPINGS), actor=ADMIN, at=AT)

        assert [
            (0, "deal", "contact_ids", "unknown_record"),
            (0, "deal", "company_id", "unknown_record"),
        ] == codes(p)

    def test_unreadable_is_told_as_unknown_and_unlinkable_as_denied(self) -> None:
        """Who may not read a record learns no more than if there were none."""
        lead_rights = Grant("lead", ["read", "update", "convert", "move"])
        make = Grant("deal", "create")
        blind = rules(mappings=self.MAPPINGS, policy=Policy([Role("r", [lead_rights, make])]))
        reads = Policy([Role("r", [lead_rights, make, Grant("*", "read")])])
        actor = Actor("u-1", roles=["r"])
        unread = plan(self.LEAD, ["deal"], rules=blind, actor=actor, at=AT, known=self.KNOWN)
        absent = plan(self.LEAD, ["deal"], rules=blind, actor=actor, at=AT)
        denied = plan(
            self.LEAD,
            ["deal"],
            rules=rules(mappings=self.MAPPINGS, policy=reads),
            actor=actor,
            at=AT,
            known=self.KNOWN,
        )

        assert absent.problems == unread.problems
        assert [(0, "contact", None, "no_grant"), (0, "company", None, "no_grant")] == codes(denied)
        assert ["link", "link"] == [problem.params["action"] for problem in denied.problems]

    def test_a_reference_to_the_lead_itself_or_its_own_kind(self) -> None:
        """A kind may refer to leads and to itself; neither is filled unasked."""
        custom = [
            Field("parent_id", "reference", to="company"),
            Field("lead_id", "reference", to="lead"),
        ]
        given = rules(kinds=(attrs.evolve(COMPANY, custom=custom),), pipelines=(LEADS,))
        result = plan(
            Lead(id="L", stage="new"),
            [
                Create("company", values={"name": "A", "lead_id": "L"}),
                Create("company", values={"name": "B", "parent_id": "L.1.company.1"}),
            ],
            rules=given,
            actor=ADMIN,
            at=AT,
        ).result()

        assert [{"lead_id": "L"}, {"parent_id": "L.1.company.1"}] == [
            dict(record.custom) for record in result.records
        ]

    def test_wanted(self) -> None:
        """A store is asked for the supplied and the bound records, each once, and for no blanks."""
        targets: list[str | Create] = [
            Create("deal", values={"contact_ids": ["C-7", "C-1", ""], "company_id": 5}),
            "contact",
            "nonsense",
        ]

        assert (
            Ref("contact", "C-7"),
            Ref("contact", "C-1"),
            Ref("company", "CO-9"),
        ) == wanted(self.LEAD, targets, rules=rules(mappings=self.MAPPINGS)).refs

    def test_wanted_from_wherever_a_reference_may_come(self) -> None:
        """Fallbacks, constants, defaults and answers are asked for as well."""
        custom = [
            Field("a", "reference", to="contact"),
            Field("b", "reference", to="contact"),
            Field("c", "reference", to="contact", default="by default"),
            Field("d", "reference", to="contact"),
        ]
        given = rules(
            kinds=(CONTACT, COMPANY, attrs.evolve(DEAL, custom=custom)),
            mappings=(
                FieldMapping("source", "deal", "a", fallbacks=["title"]),
                FieldMapping.fixed("deal", "b", "constant"),
            ),
        )
        lead = Lead(id="L", stage="new", title="fallback", custom={"UF_X": "answer"})

        assert {"fallback", "constant", "by default", "answer"} == {
            ref.id
            for ref in wanted(lead, ["deal"], rules=given, carry={"UF_X": {"deal": "d"}}).refs
        }


class TestWhatIsMissing:
    def test_all_at_once(self) -> None:
        """Required fields, groups and currencies of all targets are told in one answer."""
        p = plan(
            Lead(id="L", stage="new", amount=0, title=" "),
            ["deal", "contact", "company"],
            rules=rules(mappings=(FieldMapping("amount", "deal"), FieldMapping("title", "deal"))),
            actor=ADMIN,
            at=AT,
        )

        assert [
            (0, "deal", "title", "required"),
            (0, "deal", "currency", "currency_required"),
            (1, "contact", "last_name", "any_required"),
            (2, "company", "name", "required"),
        ] == codes(p)
        assert [
            (0, "title", "Title", ("title",)),
            (0, "currency", "Currency", ()),
            (1, "last_name", "Last name", ()),
            (1, "first_name", "First name", ()),
            (2, "name", "Name", ()),
        ] == [(field.target, field.field, field.label, field.sources) for field in p.form]

    def test_a_refused_currency_is_told_once(self) -> None:
        """A currency of the wrong type is not missing as well; nor is a group with one."""
        targets = [
            Create("deal", values={"title": "T", "amount": 5, "currency": 7}),
            Create("contact", values={"last_name": 7}),
        ]
        p = plan(Lead(id="L", stage="new"), targets, rules=rules(), actor=ADMIN, at=AT)

        assert [
            (0, "deal", "currency", "wrong_type"),
            (1, "contact", "last_name", "wrong_type"),
        ] == codes(p)

    def test_a_required_currency_is_told_once(self) -> None:
        """Where the currency is required anyway, that is the one thing said."""
        deal = attrs.evolve(DEAL, fields=[*DEAL.fields, Field("currency", "text", required=True)])
        p = plan(
            Lead(id="L", stage="new"),
            [Create("deal", values={"title": "T", "amount": 5})],
            rules=rules(kinds=(CONTACT, COMPANY, deal)),
            actor=ADMIN,
            at=AT,
        )

        assert [(0, "deal", "currency", "required")] == codes(p)

    def test_zero_and_false_fill_a_required_field(self) -> None:
        """Zero and False are values, so a field that holds them is filled."""
        fields = [Field("count", "integer", required=True), Field("sure", "boolean", required=True)]
        given = rules(kinds=(CONTACT, COMPANY, attrs.evolve(DEAL, custom=fields)))
        target = Create("deal", values={"title": "T", "count": 0, "sure": False})
        p = plan(Lead(id="L", stage="new"), [target], rules=given, actor=ADMIN, at=AT)

        assert {"count": 0, "sure": False} == dict(p.result().deal.custom)

    def test_supplying_remedies(self) -> None:
        """The values asked for, supplied, make the conversion possible."""
        p = plan(
            Lead(id="L", stage="new"),
            [Create("deal", values={"title": "T", "close_date": date(2027, 2, 1)})],
            rules=rules(),
            actor=ADMIN,
            at=AT,
        )

        assert date(2027, 2, 1) == p.result().deal.close_date


class TestWhatReachesNothing:
    CUSTOM = attrs.evolve(LEAD, custom=[Field("UF_SIZE", "integer", label="Size")])

    def given(self, *mappings: FieldMapping) -> ConversionRules:
        """Rules under which deals have two custom fields that could take the lead's."""
        deal = attrs.evolve(
            DEAL,
            custom=[
                Field("UF_D", "integer"),
                Field("UF_TAKEN", "integer"),
                Field("UF_TEXT", "text"),
            ],
        )
        return rules(
            lead=self.CUSTOM,
            kinds=(CONTACT, COMPANY, deal),
            mappings=(
                FieldMapping("title", "deal"),
                FieldMapping.fixed("deal", "UF_TAKEN", 1),
                FieldMapping("last_name", "contact"),
                FieldMapping.leave("created_at"),
                *mappings,
            ),
        )

    def test_every_reason(self) -> None:
        """Left behind, of no use to the targets chosen, unmapped, undecided: each is told."""
        lead = Lead(
            id="L",
            stage="new",
            title="T",
            last_name="N",
            job_title="J",
            created_at=AT,
            custom={"UF_SIZE": 3, "UF_FREE": "text"},
        )
        p = plan(lead, ["deal"], rules=self.given(), actor=ADMIN, at=AT)

        assert [
            ("last_name", "no_target"),
            ("job_title", "no_mapping"),
            ("UF_SIZE", "undecided"),
            ("UF_FREE", "undecided"),
        ] == [(row.field, row.reason) for row in p.dropped]
        assert p.dropped == p.result().dropped
        assert [(None, "left_behind", None)] == outcomes(p, "created_at")
        assert [
            ("UF_SIZE", "Size", {"deal": ("UF_D",)}),
            ("UF_FREE", "UF_FREE", {"deal": ("UF_TEXT",)}),
        ] == [(one.field, one.label, dict(one.choices)) for one in p.questions]

    def test_carry_answers(self) -> None:
        """An answer carries the value, leaves it behind, or sends it to a kind not chosen."""
        lead = Lead(
            id="L", stage="new", title="T", custom={"UF_SIZE": 3, "UF_FREE": "text", "UF_B": 1}
        )
        p = plan(
            lead,
            ["deal"],
            rules=self.given(),
            actor=ADMIN,
            at=AT,
            carry={"UF_SIZE": {"deal": "UF_D"}, "UF_FREE": {}, "UF_B": {"contact": "comments"}},
        )

        assert {"UF_D": 3, "UF_TAKEN": 1} == dict(p.result().deal.custom)
        assert [("deal 1.UF_D", "carried", None)] == outcomes(p, "UF_SIZE")
        assert [(None, "left_behind", None)] == outcomes(p, "UF_FREE")
        assert [(None, "dropped", "no_target")] == outcomes(p, "UF_B")
        assert () == p.questions

    def test_bad_answers(self) -> None:
        """Every answer that cannot be followed is a problem, and all are told."""
        lead = Lead(id="L", stage="new", title="T", custom={"UF_SIZE": 3, "UF_FREE": 4})
        p = plan(
            lead,
            ["deal"],
            rules=self.given(),
            actor=ADMIN,
            at=AT,
            carry={
                "UF_SIZ": {"deal": "UF_D"},
                "UF_SIZE": {
                    "dael": "UF_D",
                    "deal": "UF_TAKEN",
                    "contact": "converted_from",
                    "company": "nmae",
                },
                "UF_FREE": {"deal": "UF_TEXT"},
            },
        )

        assert [
            (None, None, None, "carry_unknown_source"),
            (None, "company", "nmae", "unknown_field"),
            (None, "contact", "converted_from", "reserved_field"),
            (None, None, None, "carry_unknown_kind"),
            (None, "deal", "UF_TAKEN", "carry_conflict"),
            (0, "deal", "UF_TEXT", "wrong_type"),
        ] == codes(p)

    def test_an_answer_nobody_asked_for(self) -> None:
        """What a mapping decides on is changed in the rules, not in passing."""
        given = self.given(FieldMapping("UF_SIZE", "deal", "UF_D"))
        p = plan(
            Lead(id="L", stage="new", title="T", custom={"UF_SIZE": 3}),
            ["deal"],
            rules=given,
            actor=ADMIN,
            at=AT,
            carry={"UF_SIZE": {"deal": "UF_D"}},
        )

        assert [(None, None, None, "carry_not_asked")] == codes(p)

    def test_a_spread_field_is_carried(self) -> None:
        """After spreading, the field exists in the kind and takes the value; elsewhere nothing."""
        decided = spread(self.given(), "UF_SIZE", into={"contact": NEW, "deal": "UF_D"})
        result = plan(
            Lead(id="L", stage="new", title="T", last_name="N", custom={"UF_SIZE": 3}),
            ["contact", Create("company", values={"name": "C"}), "deal"],
            rules=decided.rules,
            actor=ADMIN,
            at=AT,
        ).result()

        assert {"UF_SIZE": 3} == dict(result.contact.custom)
        assert {} == dict(result.company.custom)
        assert {"UF_D": 3, "UF_TAKEN": 1} == dict(result.deal.custom)


class TestRealRules:
    def test_channels_and_falsy_values_travel(self) -> None:
        """Channels keep their use; zero and False are values."""
        lead = Lead(
            id="L",
            stage="NEW",
            title="T",
            last_name="N",
            phones=[Channel("+1", "work"), Channel("+2", "home")],
            amount=Decimal("0.00"),
            currency="EUR",
            opened=False,
        )
        result = plan(
            lead, ["contact", "deal"], rules=presets.bitrix24(), actor=ADMIN, at=AT
        ).result()

        assert (Channel("+1", "work"), Channel("+2", "home")) == result.contact.phones
        assert (Decimal("0.00"), False, False) == (
            result.deal.amount,
            result.deal.opened,
            result.contact.opened,
        )


class TestStandardNames:
    def test_a_custom_field_cannot_hide_a_standard_one(self) -> None:
        """A custom field of a standard name would be lost, so the record refuses it."""
        with pytest.raises(ValueError, match="title: a standard field, not a custom one"):
            Lead(id="L", stage="new", custom={"title": "T"})
