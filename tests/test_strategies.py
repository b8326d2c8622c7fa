"""What the strategies promise: they draw what fits, and everything that fits can be drawn."""

from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from leadconvert import (
    Actor,
    Address,
    Channel,
    ConversionRules,
    Create,
    Field,
    FieldType,
    Lead,
    Policy,
    StageRole,
    plan,
    presets,
    testing,
)


RULES = presets.bitrix24()
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


class TestActorsAndPolicies:
    """Who asks, and what they may."""

    @drawing
    @given(testing.actors(RULES), testing.policies(RULES))
    def test_make_valid_rules(self, actor: Actor, policy: Policy) -> None:
        """Any policy drawn goes with the rules it was drawn for, and any actor may ask under it."""
        rules = attrs.evolve(RULES, policy=policy, transforms={})

        assert plan(Lead(id="L-1", stage="NEW"), ["deal"], rules=rules, actor=actor, at=AT).problems

    def test_a_policy_may_permit_nothing_or_everything(self) -> None:
        """Both ends are drawn."""
        strategy = testing.policies(RULES)

        assert Policy.allow_all() == find(strategy, lambda policy: policy.unrestricted)
        assert Policy() == find(strategy, lambda policy: policy == Policy())


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
