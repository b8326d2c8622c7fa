"""What the strategies promise: they draw what fits, and everything that fits can be drawn."""

from collections.abc import Callable
from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st

from leadconvert import (
    AccessRequest,
    Action,
    Actor,
    Address,
    Channel,
    Combine,
    ConversionRules,
    Create,
    Field,
    FieldType,
    Grant,
    Lead,
    Organisation,
    Policy,
    Scope,
    StageRole,
    plan,
    presets,
    testing,
)


RULES = presets.bitrix24()
#: The same with sensitive fields, a standard and a custom one.
GUARDED = attrs.evolve(
    RULES,
    kinds=[
        attrs.evolve(
            kind,
            fields=[attrs.evolve(one, sensitive=one.id == "amount") for one in kind.fields],
            custom=[*kind.custom, Field("UF_M", "money", sensitive=True)],
        )
        if kind.id == "deal"
        else kind
        for kind in RULES.kinds
    ],
    transforms={},
)
AT = datetime(2027, 1, 31, tzinfo=UTC)
drawing = settings(
    max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
#: The first that will do, not the smallest.
finding = settings(drawing, max_examples=5000, derandomize=True, phases=[Phase.generate])


def field_of(type_: FieldType, *, multiple: bool) -> Field:
    """Return a field of a type, with what that type demands."""
    options = ["cold", "hot"] if type_ is FieldType.ENUMERATION else []
    to = "deal" if type_ is FieldType.REFERENCE else None
    return Field("f", type_, multiple=multiple, options=options, to=to)


class TestPlainValues:
    """Texts, moments, days, amounts, channels, addresses, products."""

    @drawing
    @given(testing.texts(filled=True), testing.texts(max_length=1), testing.moments())
    def test_texts_and_moments(self, filled: str, short: str, moment: datetime) -> None:
        """Filled texts say something, short ones keep their length, moments have a zone."""
        assert filled.strip()
        assert len(short) <= 1
        assert moment.utcoffset() is not None

    def test_blank_texts_are_drawn(self) -> None:
        """Without filled= there are texts of white space alone."""
        blank = find(testing.texts(), lambda text: text.isspace(), settings=drawing)

        assert " " == blank

    def test_amounts_reach_below_zero(self) -> None:
        """Amounts have two decimals and either sign."""
        low = find(testing.amounts(), lambda amount: amount < 0, settings=drawing)

        assert "-0.01" == str(low)

    def test_days_and_products(self) -> None:
        """Days are days, and a product may be free."""
        free = find(testing.products(), lambda product: not product.price, settings=drawing)

        assert datetime not in type(find(testing.days(), lambda day: day.year > 0)).__mro__
        assert "0.00" == str(free.price)

    @drawing
    @given(testing.channels(filled=True), testing.addresses(filled=True))
    def test_filled_parts(self, channel: Channel, address: Address) -> None:
        """A filled channel has a value, a filled address a city."""
        assert channel.value.strip()
        assert address.city is not None
        assert address.city.strip()


class TestValues:
    """Values that fit a field."""

    @pytest.mark.parametrize("multiple", [False, True])
    @pytest.mark.parametrize("type_", list(FieldType))
    def test_fit_every_type(self, type_: FieldType, multiple: bool) -> None:
        """A value of any type is accepted by its field, and one that is filled stays filled."""
        field = field_of(type_, multiple=multiple)

        @settings(drawing, max_examples=10)
        @given(testing.values(field), testing.values(field, filled=True))
        def accepted(value: object, filled: object) -> None:
            field.accept(value)
            assert field.accept(filled) == filled
            assert filled not in (None, (), "")

        accepted()

    @drawing
    @given(testing.values(Field("f", "text", max_length=2)))
    def test_keep_to_the_length(self, value: object) -> None:
        """A text is no longer than its field allows."""
        assert len(str(value or "")) <= 2

    def test_none_is_drawn(self) -> None:
        """A field may be empty."""
        strategy = testing.values(Field("f", "integer"))

        assert find(strategy, lambda value: value is None, settings=drawing) is None


class TestLeads:
    """Leads that fit the rules at hand."""

    @drawing
    @given(testing.leads(RULES))
    def test_stand_in_process_and_point_at_nobody(self, lead: Lead) -> None:
        """By default a lead can be converted: it is in process and needs no other record."""
        assert lead.stage in {"NEW", "IN_PROCESS", "PROCESSED"}
        assert (None, ()) == (lead.company_id, lead.contact_ids)

    @drawing
    @given(testing.leads(RULES, stages=["JUNK"], undeclared=False))
    def test_stages_and_undeclared(self, lead: Lead) -> None:
        """The stages are the caller's, and nothing is undeclared where that is not wanted."""
        assert "JUNK" == lead.stage
        assert lead.custom.keys() <= {field.id for field in RULES.lead.custom}

    def test_owned_by_users(self) -> None:
        """An owner is often one of the users that act."""
        owned = find(testing.leads(RULES), lambda lead: lead.owner_id == "u-2", settings=finding)

        assert "u-2" == owned.owner_id

    def test_bound_leads(self) -> None:
        """A lead may be bound to clients where that is wanted."""
        bound = testing.leads(RULES, bound=True)

        assert find(bound, lambda lead: bool(lead.company_id), settings=finding).company_id

    def test_declared_and_undeclared_custom_fields(self) -> None:
        """Custom fields are filled, those of the rules with what fits them."""
        lead_kind = attrs.evolve(RULES.lead, custom=[Field("UF_N", "integer")])
        strategy = testing.leads(attrs.evolve(RULES, lead=lead_kind, mappings=[], transforms={}))
        declared = find(
            strategy, lambda lead: lead.custom.get("UF_N") is not None, settings=finding
        )
        other = find(
            strategy, lambda lead: lead.custom.keys() - {"UF_N"} != set(), settings=finding
        )

        assert isinstance(declared.custom["UF_N"], int)
        assert other.custom.keys() <= {"UF_N", "UF_OTHER_1", "UF_OTHER_2", "x"}

    def test_blanks_and_zeros(self) -> None:
        """Blank texts and zero amounts are among the values."""
        leads = testing.leads(RULES)

        assert find(leads, lambda lead: lead.title == " ", settings=finding)
        assert find(leads, lambda lead: lead.amount == 0, settings=finding)


def grants_of(policy: Policy) -> list[Grant]:
    """Return whatever the roles of a policy permit or forbid."""
    return [grant for role in policy.roles for grant in (*role.grants, *role.forbids)]


class TestActors:
    def test_have_roles_of_the_policy_and_others(self) -> None:
        """Roles that exist and one that does not are drawn, and actors without any."""
        strategy = testing.actors(RULES)

        assert find(strategy, lambda actor: "admin" in actor.roles, settings=finding)
        assert find(strategy, lambda actor: "a role of no policy" in actor.roles, settings=finding)
        assert find(strategy, lambda actor: not actor.roles, settings=finding)

    @pytest.mark.parametrize("near", ["department", "subdepartments", "team", "subteams"])
    def test_have_others_near_to_them(self, near: str) -> None:
        """Whose records are near is drawn for every scope of an organisation."""
        assert find(testing.actors(RULES), lambda actor: getattr(actor, near), settings=finding)


class TestGrantsAndPolicies:
    @drawing
    @given(testing.actors(GUARDED), testing.policies(GUARDED))
    def test_make_valid_rules(self, actor: Actor, policy: Policy) -> None:
        """Any policy drawn goes with the rules it was drawn for, and any actor may ask under it."""
        rules = attrs.evolve(GUARDED, policy=policy, transforms={})

        assert plan(Lead(id="L-1", stage="NEW"), ["deal"], rules=rules, actor=actor, at=AT).problems

    def test_a_policy_may_permit_nothing_or_everything(self) -> None:
        """Both ends are drawn."""
        strategy = testing.policies(RULES)

        assert Policy.allow_all() == find(strategy, lambda policy: policy.unrestricted)
        assert Policy() == find(strategy, lambda policy: policy == Policy())

    @pytest.mark.parametrize("combine", list(Combine))
    def test_combine_roles_in_both_ways(self, combine: Combine) -> None:
        """Policies of several roles are drawn for either way to combine them, and for one alone."""
        either, alone = testing.policies(RULES), testing.policies(RULES, combine=[combine])

        def does(policy: Policy) -> bool:
            return policy.combine is combine and len(policy.roles) > 1

        assert find(either, does, settings=finding)
        assert find(alone, does, settings=finding)

    def test_forbid_part_of_what_a_role_permits(self) -> None:
        """A role that permits something and forbids something is drawn, even of one kind."""

        def does(policy: Policy) -> bool:
            return any(
                permitted.kind == forbidden.kind and permitted.actions & forbidden.actions
                for role in policy.roles
                for permitted in role.grants
                for forbidden in role.forbids
            )

        assert find(testing.policies(RULES), does, settings=finding)

    @pytest.mark.parametrize("scope", list(Scope))
    def test_are_of_every_scope(self, scope: Scope) -> None:
        """Every scope is drawn, alone and with others."""
        strategy = testing.grants(RULES)

        assert find(strategy, lambda grant: {scope} == grant.scope, settings=finding)
        assert find(strategy, lambda grant: {scope} < grant.scope, settings=finding)

    @pytest.mark.parametrize("action", list(Action))
    def test_are_of_every_action(self, action: Action) -> None:
        """Every action is drawn alone."""
        assert find(testing.grants(RULES), lambda one: {action} == one.actions, settings=finding)

    @pytest.mark.parametrize(
        "speaks_of",
        [
            pytest.param(lambda one: one.kind == "*", id="every kind"),
            pytest.param(lambda one: one.kind == "deal", id="one kind"),
            pytest.param(lambda one: one.pipeline == "0", id="a pipeline"),
            pytest.param(lambda one: one.stage == "WON", id="a stage"),
            pytest.param(lambda one: one.pipeline and one.stage, id="a stage of a pipeline"),
            pytest.param(lambda one: one.stage and not one.scope, id="nothing in a stage"),
            pytest.param(lambda one: one.to == frozenset(), id="no move"),
            pytest.param(lambda one: one.to and len(one.to) > 1, id="some moves"),
            pytest.param(lambda one: one.stage and one.to, id="some moves from a stage"),
            pytest.param(lambda one: {"*"} == one.fields, id="every field"),
            pytest.param(lambda one: {"amount", "UF_M"} == one.fields, id="some fields"),
            pytest.param(lambda one: one.fields and one.kind == "*", id="fields of every kind"),
        ],
    )
    def test_speak_of_whatever_rules_have(self, speaks_of: Callable[[Grant], object]) -> None:
        """Kinds, pipelines, stages, moves and sensitive fields are drawn."""
        assert find(testing.grants(GUARDED), speaks_of, settings=finding)
        assert find(
            testing.policies(GUARDED),
            lambda policy: any(map(speaks_of, grants_of(policy))),
            settings=finding,
        )

    @drawing
    @given(testing.policies(GUARDED, forbids=False, overrides=False, fields=False))
    def test_leave_out_what_a_law_needs_gone(self, policy: Policy) -> None:
        """Without forbids, overrides and fields nothing of the sort is drawn."""
        assert all(role.forbids == () for role in policy.roles)
        assert all(grant.stage is None for grant in grants_of(policy))
        assert all(grant.fields is None for grant in grants_of(policy))


class TestAccessRequests:
    @drawing
    @given(
        testing.conversion_rules().flatmap(
            lambda rules: st.tuples(st.just(rules), testing.access_requests(rules))
        )
    )
    def test_fit_the_rules(self, drawn: tuple[ConversionRules, AccessRequest]) -> None:
        """What is asked about exists: kinds, pipelines, stages, and only sensitive fields."""
        rules, asked = drawn
        kind = next(one for one in (rules.lead, *rules.kinds) if one.id == asked.kind)
        stages = {
            stage.id
            for pipeline in rules.pipelines_of(asked.kind)
            if pipeline.id == asked.pipeline
            for stage in pipeline.stages
        }

        assert {asked.stage, asked.to_stage} <= {None, *stages}
        assert asked.field is None or kind.members[asked.field].sensitive
        assert asked.field is None or asked == AccessRequest(
            action=asked.action, kind=asked.kind, field=asked.field
        )

    @pytest.mark.parametrize(
        "asks",
        [
            pytest.param(lambda one: one.action == "create" and one.id is None, id="create"),
            pytest.param(lambda one: one.action == "update" and one.id, id="update"),
            pytest.param(lambda one: one.action == "move" and one.to_stage, id="move"),
            pytest.param(lambda one: one.owner_id == "u-2", id="owned"),
            pytest.param(lambda one: one.owner_id is None and not one.field, id="nobody's"),
            pytest.param(lambda one: one.opened, id="opened"),
            pytest.param(lambda one: one.stage == "WON", id="in a stage"),
            pytest.param(lambda one: one.field == "amount", id="a field"),
        ],
    )
    def test_ask_about_anything(self, asks: Callable[[AccessRequest], object]) -> None:
        """Every sort of question is drawn."""
        assert find(testing.access_requests(GUARDED), asks, settings=finding)

    @drawing
    @given(testing.access_requests(RULES))
    def test_without_sensitive_fields(self, asked: AccessRequest) -> None:
        """Where no field is sensitive, none is asked about."""
        assert asked.field is None


class TestOrganisations:
    @pytest.mark.parametrize(
        "has",
        [
            pytest.param(lambda one: any(u.parent for u in one.departments), id="departments"),
            pytest.param(lambda one: any(u.parent for u in one.teams), id="teams"),
            pytest.param(lambda one: any(u.heads for u in one.departments), id="heads"),
            pytest.param(lambda one: any(u.roles for u in one.groups), id="roles of a group"),
            pytest.param(lambda one: any(u.roles_below for u in one.teams), id="roles below"),
            pytest.param(lambda one: any(m.departments for m in one.members), id="a department"),
            pytest.param(lambda one: any(m.teams for m in one.members), id="a team"),
            pytest.param(lambda one: any(m.groups for m in one.members), id="a group"),
            pytest.param(lambda one: any(m.roles for m in one.members), id="own roles"),
            pytest.param(lambda one: one == Organisation(), id="nothing"),
        ],
    )
    def test_are_of_every_sort(self, has: Callable[[Organisation], object]) -> None:
        """Trees of units, heads, roles and members of anything are drawn."""
        assert find(testing.organisations(), has, settings=finding)

    def test_bring_people_near_to_each_other(self) -> None:
        """Some user reaches another's records through an organisation."""

        def near(company: Organisation) -> bool:
            return "u-2" in company.expand(Actor("u-1")).subdepartments

        assert find(testing.organisations(), near, settings=finding)

    @drawing
    @given(testing.organisations(roles=["admin", "sales"]), testing.organisations(roles=[]))
    def test_give_the_roles_they_are_told(self, given_: Organisation, bare: Organisation) -> None:
        """With the roles of a policy an organisation goes over it; without roles none is given."""
        assert given_.over(RULES.policy)
        assert bare.over(Policy())


class TestTargets:
    """What may be asked for."""

    @drawing
    @given(testing.targets(RULES, fitting=True, repeated=False, max_size=2))
    def test_fitting_values_are_never_refused(self, into: list[str | Create]) -> None:
        """Where values fit, nothing but a missing field stands in the way."""
        actor = Actor("u-1", roles=["admin"])
        lead = Lead(id="L-1", stage="NEW")
        found = plan(lead, into, rules=RULES, actor=actor, at=AT).problems

        assert len(into) <= 2
        assert {"missing"} >= {problem.cause.value for problem in found}

    def test_anything_may_be_asked(self) -> None:
        """Unknown kinds, unknown fields and one kind several times are drawn."""
        strategy = testing.targets(RULES)

        def has_unknown_field(into: list[str | Create]) -> bool:
            return any(isinstance(one, Create) and "no such field" in one.values for one in into)

        assert ["nothing of the kind"] == find(strategy, lambda into: "nothing" in str(into[0]))
        assert ["contact", "contact"] == find(strategy, lambda into: len(into) == 2)
        assert find(strategy, has_unknown_field, settings=finding)


class TestConversionRules:
    """Whole sets of rules."""

    def test_deals_may_have_two_pipelines(self) -> None:
        """Where a kind has several pipelines, exactly one is the default."""
        rules = find(
            testing.conversion_rules(),
            lambda rules: len(rules.pipelines_of("deal")) == 2,
            settings=finding,
        )

        assert [True, False] == [pipeline.default for pipeline in rules.pipelines_of("deal")]

    @drawing
    @given(testing.conversion_rules(restricted=True))
    def test_are_valid(self, rules: ConversionRules) -> None:
        """Rules are made of one to four kinds, and one stage of the leads is a success."""
        assert 1 <= len(rules.kinds) <= 4
        assert 1 == len(rules.lead_pipeline.in_role(StageRole.SUCCESS))

    @drawing
    @given(testing.conversion_rules().flatmap(testing.leads))
    def test_leads_fit_them(self, lead: Lead) -> None:
        """Leads can be drawn for any rules."""
        assert isinstance(lead, Lead)

    @pytest.mark.parametrize("part", ["lead", "kinds"])
    def test_have_sensitive_fields(self, part: str) -> None:
        """Standard fields and custom ones are marked as sensitive, of leads and of targets."""

        def marks(rules: ConversionRules, *, custom: bool) -> bool:
            return any(
                field.sensitive and (field in kind.custom) == custom
                for kind in ([rules.lead] if part == "lead" else rules.kinds)
                for field in kind.members.values()
            )

        strategy = testing.conversion_rules()

        assert find(strategy, lambda rules: marks(rules, custom=False), settings=finding)
        assert find(strategy, lambda rules: marks(rules, custom=True), settings=finding)

    @pytest.mark.parametrize("kind", ["contact", "company", "deal", "project", "invoice"])
    def test_are_of_every_sort(self, kind: str) -> None:
        """Standard kinds, a class of one's own and a kind of fields alone are drawn."""
        rules = testing.conversion_rules()

        assert find(rules, lambda rules: rules.kind(kind) is not None, settings=finding)

    @pytest.mark.parametrize("transform", ["first", "join", "lower", "strip", "upper"])
    def test_name_every_transform(self, transform: str) -> None:
        """The library's transforms are all drawn."""

        def names_it(rules: ConversionRules) -> bool:
            return any(mapping.transform == transform for mapping in rules.mappings)

        assert find(testing.conversion_rules(), names_it, settings=finding)

    def test_map_in_every_way(self) -> None:
        """Mappings to nothing, with fallbacks and of constants are drawn."""
        rules = testing.conversion_rules()

        assert find(
            rules, lambda rules: any(one.leaves_behind for one in rules.mappings), settings=finding
        )
        assert find(
            rules, lambda rules: any(one.fallbacks for one in rules.mappings), settings=finding
        )
        assert find(
            rules,
            lambda rules: any(one.constant is not None for one in rules.mappings),
            settings=finding,
        )
