"""Rules: every contradiction at once, with its place; what rules answer."""

import copy
import pickle
from collections.abc import Callable, Mapping
from functools import partial

import attrs
import pytest

from leadconvert import (
    Actor,
    Automation,
    AutomationRule,
    Company,
    Contact,
    ConversionRules,
    Create,
    Deal,
    Field,
    FieldMapping,
    FrozenMap,
    GenericRecord,
    Grant,
    Kind,
    Lead,
    Pipeline,
    Policy,
    Required,
    Role,
    Stage,
    Where,
    WithoutLeads,
    errors,
)
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD


LEADS = Pipeline("leads", "lead", ["new", Stage("done", "success")])
SALES = Pipeline("sales", "deal", ["open", Stage("won", "success")])
BACK = Field("converted_from", "reference", to="lead", multiple=True)


@attrs.frozen(kw_only=True)
class Project:
    """A record class of a user's own."""

    id: str
    revision: str | None = None
    converted_from: tuple[str, ...] = ()
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)


def shout(value: object) -> object:
    """A transform that stands in a module."""
    return f"{value}!"


def invoice(*fields: Field, **parts: str) -> Kind:
    """A kind of fields alone."""
    loose: Callable[..., Kind] = Kind
    return loose("invoice", fields=fields or [BACK], **parts)


def rules(  # noqa: PLR0913 - the parts of rules
    *,
    lead: Kind = LEAD,
    kinds: tuple[Kind, ...] = (CONTACT, COMPANY, DEAL),
    pipelines: tuple[Pipeline, ...] = (LEADS, SALES),
    mappings: tuple[FieldMapping, ...] = (),
    policy: Policy | None = None,
    automation: Automation | None = None,
    transforms: Mapping[str, Callable[[object], object]] | None = None,
) -> ConversionRules:
    """Rules with as little in them as a test needs."""
    return ConversionRules(
        lead=lead,
        kinds=kinds,
        pipelines=pipelines,
        mappings=mappings,
        policy=policy or Policy(),
        automation=automation,
        transforms=transforms or {},
    )


def told(make: Callable[[], object]) -> list[str]:
    """What the refusal of *make* says, mistake by mistake."""
    with pytest.raises(errors.DefinitionError) as caught:
        make()
    assert "; ".join(map(str, caught.value.problems)) == str(caught.value)
    return [str(problem) for problem in caught.value.problems]


class TestKinds:
    def test_ids_and_classes(self) -> None:
        """Ids stand once, each class has one kind, and the star is taken."""
        star = Kind("*", fields=[BACK])
        assert [
            "kinds: kind 'company' stands twice (remove or rename one)",
            "kinds: '*' has a meaning of its own (choose another id)",
            "kinds: kinds company, company share the class Company (give each kind its own class)",
        ] == told(lambda: rules(kinds=(COMPANY, COMPANY, star), pipelines=(LEADS,)))

    def test_two_kinds_on_one_own_class(self) -> None:
        """Two kinds on one class of a user's own would be one kind."""
        one = Kind("project", Project, fields=[BACK])
        other = Kind("sprint", Project, fields=[BACK])
        assert [
            "kinds: kinds project, sprint share the class Project (give each kind its own class)"
        ] == told(lambda: rules(kinds=(one, other), pipelines=(LEADS,)))

    def test_two_kinds_of_fields_alone(self) -> None:
        """Kinds without a class share nothing."""
        made = rules(kinds=(invoice(), Kind("offer", fields=[BACK])), pipelines=(LEADS,))
        assert ("invoice", "offer") == made.order

    def test_the_class_of_the_leads(self) -> None:
        """Leads are Leads."""
        lead = Kind("lead", Project, converted_from=None)
        assert [
            "kind lead: the class of the leads is not leadconvert.Lead (use kinds.LEAD, refined)"
        ] == [one for one in told(lambda: rules(lead=lead)) if "class of the leads" in one]

    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            (Kind("invoice", fields=[Field("a", "text")]), "nothing points back at the lead"),
            (invoice(converted_from="a"), "nothing points back at the lead"),
            (
                invoice(Field("converted_from", "reference", to="deal", multiple=True)),
                "nothing points back at the lead",
            ),
            (attrs.evolve(invoice(), converted_from=None), "nothing points back at the lead"),
        ],
        ids=["no field", "another name", "another kind", "none"],
    )
    def test_no_back_pointer(self, kind: Kind, expected: str) -> None:
        """Every kind one may convert into points back at leads."""
        way_out = "add a multiple reference to the lead's kind, and name it in converted_from="
        assert [f"kind invoice: {expected} ({way_out})"] == told(lambda: rules(kinds=(kind, DEAL)))

    def test_a_back_pointer_with_room_for_one(self) -> None:
        """A record may come from several leads."""
        kind = invoice(Field("converted_from", "reference", to="lead"))
        assert [
            (
                "kind invoice: 'converted_from' points back at one lead only"
                " (make it multiple: a record may come from several leads)"
            )
        ] == told(lambda: rules(kinds=(kind,), pipelines=(LEADS,)))

    def test_a_reference_to_a_kind_nearly_there(self) -> None:
        """A reference to a kind outside the rules is fine; a slip of one inside is told."""
        outside = invoice(BACK, Field("store", "reference", to="warehouse"))
        assert ("invoice",) == rules(kinds=(outside,), pipelines=(LEADS,)).order
        slip = invoice(BACK, Field("store", "reference", to="compnay"))
        assert [
            (
                "field invoice.store: there is no kind 'compnay', did you mean 'company'?"
                " (correct the name)"
            )
        ] == told(lambda: rules(kinds=(slip, COMPANY), pipelines=(LEADS,)))

    def test_a_circle(self) -> None:
        """Kinds that refer to each other in a circle have no order."""
        one = Kind("a", fields=[BACK, Field("b", "reference", to="b")])
        other = Kind("b", fields=[BACK, Field("a", "reference", to="a")])
        assert [
            "kinds: kinds refer to each other in a circle: a, b (remove one of the references)"
        ] == told(lambda: rules(kinds=(one, COMPANY, other), pipelines=(LEADS,)))

    def test_a_kind_that_refers_to_itself(self) -> None:
        """A company may have a parent company: that is no circle."""
        child = invoice(BACK, Field("parent", "reference", to="invoice"))
        assert ("invoice",) == rules(kinds=(child,), pipelines=(LEADS,)).order

    def test_the_order_follows_from_the_references(self) -> None:
        """Each kind comes after those its records refer to, in whatever order they are given."""
        assert ("company", "contact", "deal") == rules(kinds=(DEAL, CONTACT, COMPANY)).order


class TestPipelines:
    def test_of_an_unknown_kind(self) -> None:
        """A pipeline is of a kind that exists."""
        strange = Pipeline("x", "dael", ["a"])
        assert [
            "pipeline x: there is no kind 'dael', did you mean 'deal'? (correct the name)"
        ] == told(lambda: rules(pipelines=(LEADS, SALES, strange)))

    def test_where_they_belong(self) -> None:
        """A kind with stages has a pipeline, and a kind with a pipeline has stages."""
        bills = Pipeline("bills", "invoice", ["open"])
        assert [
            "kind lead: kind 'lead' has stages but no pipeline (add one)",
            "kind deal: kind 'deal' has stages but no pipeline (add one)",
            "kind invoice: kind 'invoice' has no stage field, yet a pipeline (name it in stage=)",
        ] == told(lambda: rules(kinds=(DEAL, invoice()), pipelines=(bills,)))

    def test_two_with_one_id(self) -> None:
        """The pipelines of a kind have different ids."""
        twin = attrs.evolve(SALES, default=True)
        assert ["kind deal: pipeline 'sales' stands twice (remove or rename one)"] == told(
            lambda: rules(pipelines=(LEADS, SALES, twin))
        )

    @pytest.mark.parametrize(("defaults", "count"), [((False, False), 0), ((True, True), 2)])
    def test_one_default(self, defaults: tuple[bool, bool], count: int) -> None:
        """Of several pipelines exactly one is the default."""
        one, other = (
            Pipeline(id_, "deal", ["a"], default=default)
            for id_, default in zip("ab", defaults, strict=True)
        )
        assert [
            (
                f"kind deal: kind 'deal' has 2 pipelines and {count} defaults"
                " (mark one pipeline as default)"
            )
        ] == told(lambda: rules(pipelines=(LEADS, one, other)))

    def test_several_where_no_field_says_which(self) -> None:
        """Leads, and kinds without a pipeline field, have one pipeline."""
        second = Pipeline("more", "lead", ["a", Stage("b", "success")], default=True)
        staged = invoice(BACK, Field("stage", "text"), stage="stage")
        bills = [Pipeline(id_, "invoice", ["a"]) for id_ in "ab"]
        assert [
            "kind lead: kind 'lead' needs exactly one pipeline, it has 2 (keep one)",
            "kind invoice: kind 'invoice' needs exactly one pipeline, it has 2 (keep one)",
        ] == told(lambda: rules(kinds=(staged,), pipelines=(LEADS, second, *bills)))

    def test_leads_without_stages(self) -> None:
        """A lead is converted by its stage, so leads have stages and a pipeline."""
        with pytest.raises(errors.DefinitionError):
            rules(lead=attrs.evolve(LEAD, stage=None), kinds=(COMPANY,), pipelines=())

    @pytest.mark.parametrize(
        ("stages", "count"),
        [([], 0), ([Stage("a", "success"), Stage("b", "success")], 2)],
    )
    def test_one_success_stage(self, stages: list[Stage], count: int) -> None:
        """The pipeline of the leads has exactly one success stage."""
        leads = Pipeline("leads", "lead", ["new", *stages])
        assert [
            (
                "pipeline leads: a lead's pipeline has exactly one success stage, this one has"
                f" {count} (mark one stage as success)"
            )
        ] == told(lambda: rules(pipelines=(leads, SALES)))

    def test_the_default_comes_first(self) -> None:
        """The default pipeline stands first among those of a kind."""
        extra = Pipeline("extra", "deal", ["a"], default=True)
        made = rules(pipelines=(LEADS, SALES, extra))
        assert (extra, SALES) == made.pipelines_of("deal")
        assert LEADS == made.lead_pipeline
        assert () == made.pipelines_of("company")


class TestRequired:
    def test_fields_that_do_not_exist(self) -> None:
        """A pipeline requires fields of its own kind, standard and custom."""
        lead = attrs.evolve(LEAD, custom=[Field("UF_SIZE", "integer")])
        leads = attrs.evolve(
            LEADS, required=[Required(["amuont", "UF_SIZE"]), Required("company_id", since="done")]
        )
        sales = attrs.evolve(
            SALES, required=[Required(["UF_SIZE", "title"]), Required("zzz", failures=True)]
        )
        assert [
            (
                "pipeline leads: there is no field of lead 'amuont', did you mean 'amount'?"
                " (correct the name)"
            ),
            "pipeline sales: there is no field of deal 'UF_SIZE' (correct the name)",
            "pipeline sales: there is no field of deal 'zzz' (correct the name)",
        ] == told(lambda: rules(lead=lead, pipelines=(leads, sales)))

    def test_fields_of_an_unknown_kind(self) -> None:
        """Of a pipeline of no kind only that is told."""
        strange = Pipeline("x", "zzz", ["a"], required=[Required("amuont")])
        assert ["pipeline x: there is no kind 'zzz' (correct the name)"] == told(
            lambda: rules(pipelines=(LEADS, SALES, strange))
        )

    def test_fields_that_exist(self) -> None:
        """What a pipeline requires stays as it was given."""
        sales = attrs.evolve(SALES, required=[Required(["amount", "close_date"], since="won")])
        made = rules(pipelines=(LEADS, sales))
        assert ("amount", "close_date") == made.pipelines_of("deal")[0].required_at("won")


class TestAutomation:
    ROBOT = Actor("robot", roles=["robot"])
    POLICY = Policy([Role("robot")])

    def test_mistakes(self) -> None:
        """Rules, conditions, actor and mode are checked against the leads, kinds and roles."""
        automation = Automation(
            Actor("robot", roles=["rbot"]),
            [
                AutomationRule("all", ["dael"], on="nwe", when=Where("titel", "filled")),
                AutomationRule("on", on="new", to="done"),
            ],
            without_leads=WithoutLeads(into=["compnay"]),
        )
        assert [
            (
                "automation rule all: there is no stage of lead 'nwe', did you mean 'new'?"
                " (correct the name)"
            ),
            (
                "automation rule all: there is no kind 'dael', did you mean 'deal'?"
                " (correct the name)"
            ),
            (
                "automation rule all: there is no field of lead 'titel', did you mean 'title'?"
                " (correct the name)"
            ),
            (
                "automation rule on: the rule moves to the success stage, which is a conversion:"
                " name targets (correct or remove it)"
            ),
            "automation: there is no role 'rbot', did you mean 'robot'? (correct the name)",
            (
                "mode without leads: there is no kind 'compnay', did you mean 'company'?"
                " (correct the name)"
            ),
        ] == told(lambda: rules(policy=self.POLICY, automation=automation))

    def test_custom_fields(self) -> None:
        """A condition may ask for a custom field of the lead, a target fill one of its kind."""
        when = Where("UF_SIZE", "greater", 5)
        rule = AutomationRule("all", [Create("deal", values={"UF_SIZE": 6})], when=when)
        automation, size = Automation(self.ROBOT, [rule]), Field("UF_SIZE", "integer")
        assert [
            "automation rule all: there is no field of deal 'UF_SIZE' (correct the name)",
            "automation rule all: there is no field of lead 'UF_SIZE' (correct the name)",
        ] == told(lambda: rules(policy=self.POLICY, automation=automation))
        made = rules(
            lead=attrs.evolve(LEAD, custom=[size]),
            kinds=(CONTACT, COMPANY, attrs.evolve(DEAL, custom=[size])),
            policy=self.POLICY,
            automation=automation,
        )
        assert automation == made.automation

    def test_values_of_its_targets(self) -> None:
        """What a rule supplies is checked like a constant: its type, pipeline, stage, and whose."""
        values = {
            "amount": "much",
            "pipeline": "slaes",
            "stage": "opne",
            "converted_from": ["L-1"],
            "comments": None,
        }
        rule = AutomationRule("all", [Create("deal", values=values)], on="new")
        automation = Automation(self.ROBOT, [rule])
        guess = "(correct the name)"
        assert [
            "the value does not fit: wrong_type (correct it)",
            (
                "the rule supplies deal.converted_from, which the conversion sets itself"
                " (correct or remove it)"
            ),
            f"there is no pipeline 'slaes', did you mean 'sales'? {guess}",
            f"there is no stage 'opne', did you mean 'open'? {guess}",
        ] == [
            one.removeprefix("automation rule all: ")
            for one in told(lambda: rules(policy=self.POLICY, automation=automation))
        ]

    def test_the_stages_of_another_pipeline(self) -> None:
        """A rule acts in the stages of the leads, not in those of deals."""
        automation = Automation(self.ROBOT, [AutomationRule("all", ["deal"], on="open")])
        assert ["automation rule all: there is no stage of lead 'open' (correct the name)"] == told(
            lambda: rules(policy=self.POLICY, automation=automation)
        )

    def test_leads_without_a_pipeline(self) -> None:
        """Where the leads have no pipeline, that is told, and nothing of the rules' stages."""
        automation = Automation(self.ROBOT, [AutomationRule("all", ["deal"], on="zzz")])
        assert ["kind lead: kind 'lead' has stages but no pipeline (add one)"] == told(
            lambda: rules(pipelines=(SALES,), policy=self.POLICY, automation=automation)
        )

    def test_something_else(self) -> None:
        """An automation is one, or none."""
        loose: Callable[..., object] = rules
        with pytest.raises(TypeError, match="automation"):
            loose(automation="robot")


class TestMappings:
    @pytest.mark.parametrize(
        ("mapping", "expected"),
        [
            (
                FieldMapping("titel", "deal", "title"),
                (
                    "mapping titel → deal.title: there is no field of lead 'titel',"
                    " did you mean 'title'? (correct the name)"
                ),
            ),
            (
                FieldMapping("title", "deal", fallbacks=["sorce"]),
                (
                    "mapping title or sorce → deal.title: there is no field of lead 'sorce',"
                    " did you mean 'source'? (correct the name)"
                ),
            ),
            (
                FieldMapping.leave("zzz"),
                "mapping zzz → nothing: there is no field of lead 'zzz' (correct the name)",
            ),
            (
                FieldMapping("title", "dael"),
                (
                    "mapping title → dael.title: there is no kind 'dael', did you mean 'deal'?"
                    " (correct the name)"
                ),
            ),
            (
                FieldMapping("title", "deal", "titel"),
                (
                    "mapping title → deal.titel: there is no field of deal 'titel',"
                    " did you mean 'title'? (correct the name)"
                ),
            ),
            (
                FieldMapping("title", "deal", transform="uper"),
                (
                    "mapping title → deal.title by uper: there is no transform 'uper',"
                    " did you mean 'upper'? (correct the name)"
                ),
            ),
            (
                FieldMapping("contact_ids", "deal", "converted_from"),
                (
                    "mapping contact_ids → deal.converted_from: deal.converted_from is set by the"
                    " conversion itself (remove the mapping)"
                ),
            ),
            (
                FieldMapping.fixed("deal", "amount", "much"),
                "mapping constant → deal.amount: the value does not fit: wrong_type (correct it)",
            ),
            (
                FieldMapping.fixed("deal", "pipeline", "sale"),
                (
                    "mapping constant → deal.pipeline: there is no pipeline 'sale',"
                    " did you mean 'sales'? (correct the name)"
                ),
            ),
            (
                FieldMapping.fixed("deal", "stage", "opne"),
                (
                    "mapping constant → deal.stage: there is no stage 'opne', did you mean 'open'?"
                    " (correct the name)"
                ),
            ),
        ],
        ids=str,
    )
    def test_to_and_from_what_does_not_exist(self, mapping: FieldMapping, expected: str) -> None:
        """A mapping names what exists; a name that does not comes with a guess."""
        assert [expected] == told(lambda: rules(mappings=(mapping,)))

    def test_constants_that_fit(self) -> None:
        """Constants name stages and pipelines that exist."""
        mappings = (
            FieldMapping.fixed("deal", "pipeline", "sales"),
            FieldMapping.fixed("deal", "stage", "won"),
            FieldMapping.fixed("company", "opened", value=False),
            FieldMapping("title", "company", "name"),
        )
        made = rules(mappings=mappings)
        assert mappings[:2] == made.mappings_into("deal")
        assert mappings[2:] == made.mappings_into("company")
        assert () == made.mappings_into("contact")

    def test_two_onto_one_target(self) -> None:
        """A target field has one mapping; others are fallbacks of it."""
        mappings = (
            FieldMapping("title", "company", "name"),
            FieldMapping("company_name", "company", "name"),
            FieldMapping.fixed("deal", "type", "SALE"),
            FieldMapping("source", "deal", "type"),
        )
        assert [
            (
                "mappings: title, company_name are both mapped to company.name"
                " (make one the fallback of the other)"
            ),
            (
                "mappings: constant, source are both mapped to deal.type"
                " (make one the fallback of the other)"
            ),
        ] == told(lambda: rules(mappings=mappings))

    def test_mapped_and_left_behind(self) -> None:
        """A field is mapped or left behind, not both."""
        mappings = (FieldMapping("title", "deal"), FieldMapping.leave("title"))
        assert ["mappings: title is mapped and left behind as well (keep one of the two)"] == told(
            lambda: rules(mappings=mappings)
        )

    def test_decides_on(self) -> None:
        """A mapping decides on its source, its fallbacks, and what it leaves behind."""
        mappings = (
            FieldMapping("company_name", "company", "name", fallbacks=["title"]),
            FieldMapping.leave("source"),
        )
        made = rules(mappings=mappings)
        decided = ["company_name", "title", "source", "comments"]
        assert [True, True, True, False] == [made.decides_on(name) for name in decided]


class TestPolicyAndTransforms:
    def test_a_grant_on_an_unknown_kind(self) -> None:
        """Grants are on kinds that exist, on leads, or on all."""
        grants = [Grant(kind, "read") for kind in ("*", "lead", "deal", "dael")]
        assert [
            "role sales: there is no kind 'dael', did you mean 'deal'? (correct the name)"
        ] == told(lambda: rules(policy=Policy([Role("sales", grants)])))

    def test_a_transform_that_stands_nowhere(self) -> None:
        """A lambda, or a function inside another, cannot be found again by its name."""

        def local(value: object) -> object:
            return value

        way_out = "is a lambda or a local function (define it in a module)"
        assert [
            f"transforms: transform 'a' {way_out}",
            f"transforms: transform 'b' {way_out}",
        ] == told(lambda: rules(transforms={"b": local, "a": lambda value: value}))

    def test_a_transform_without_a_name(self) -> None:
        """What has no name of its own in a module cannot be found again either."""
        assert 1 == len(told(lambda: rules(transforms={"a": partial(shout)})))

    def test_a_name_that_is_taken(self) -> None:
        """The library's own transforms keep their names."""
        assert ["transforms: transform 'upper' stands twice (remove or rename one)"] == told(
            lambda: rules(transforms={"upper": shout})
        )

    def test_by_name(self) -> None:
        """One's own transforms stand beside the library's."""
        made = rules(
            transforms={"shout": shout},
            mappings=(FieldMapping("title", "deal", transform="shout"),),
        )
        assert {"first", "join", "lower", "shout", "strip", "upper", "city"} <= {
            *made.transforms_by_name()
        }


class TestRules:
    def test_all_mistakes_at_once(self) -> None:
        """Mistakes of every part are told together."""
        found = told(
            lambda: rules(
                kinds=(COMPANY, COMPANY),
                pipelines=(LEADS, SALES),
                mappings=(FieldMapping("titel", "company", "nmae"),),
                policy=Policy([Role("sales", [Grant("dael", "read")])]),
                automation=Automation(Actor("robot"), [AutomationRule("x", ["company"], on="y")]),
                transforms={"a": lambda value: value},
            )
        )
        assert [
            "kinds: kind 'company' stands twice (remove or rename one)",
            "kinds: kinds company, company share the class Company (give each kind its own class)",
            "pipeline sales: there is no kind 'deal' (correct the name)",
            (
                "mapping titel → company.nmae: there is no field of lead 'titel',"
                " did you mean 'title'? (correct the name)"
            ),
            (
                "mapping titel → company.nmae: there is no field of company 'nmae',"
                " did you mean 'name'? (correct the name)"
            ),
            "role sales: there is no kind 'dael' (correct the name)",
            "automation rule x: there is no stage of lead 'y' (correct the name)",
            "transforms: transform 'a' is a lambda or a local function (define it in a module)",
        ] == found

    def test_kind_of_a_record(self) -> None:
        """A record's kind follows from its class, a generic record's from what it says."""
        made = rules(kinds=(DEAL, invoice()))
        assert LEAD == made.kind_of(Lead(id="L-7", stage="new"))
        assert DEAL == made.kind_of(Deal(id="D-5"))
        assert invoice() == made.kind_of(GenericRecord(kind="invoice", id="I-1"))
        assert made.kind_of(Company(id="CO-9")) is None
        assert made.kind_of(Contact(id="C-3")) is None
        assert made.kind_of(GenericRecord(kind="deal", id="D-5")) is None
        assert made.kind_of(GenericRecord(kind="other", id="1")) is None
        assert DEAL == made.kind("deal")
        assert made.kind("lead") is None

    def test_values_that_travel(self) -> None:
        """Rules are hashable, pickle and copy into equal ones with the same digest."""
        made = rules(
            pipelines=(attrs.evolve(LEADS, required=[Required("title")], forward_only=True), SALES),
            automation=Automation(Actor("robot"), [AutomationRule("all", ["deal"])]),
            transforms={"shout": shout},
        )
        again = pickle.loads(pickle.dumps(made))  # noqa: S301 - our own bytes
        assert made == again == copy.deepcopy(made)
        assert hash(made) == hash(again)
        assert made.digest == again.digest
        assert made.order == again.order

    def test_the_digest_stands_for_the_rules(self) -> None:
        """Other rules have another digest, the same rules the same."""
        made = rules()
        assert made.digest == rules().digest
        others = [
            rules(mappings=(FieldMapping("title", "deal"),)),
            rules(policy=Policy.allow_all()),
            rules(transforms={"shout": shout}),
            rules(pipelines=(LEADS, attrs.evolve(SALES, label="Sales"))),
            rules(pipelines=(LEADS, attrs.evolve(SALES, forward_only=True))),
            rules(pipelines=(LEADS, attrs.evolve(SALES, required=[Required("title")]))),
            rules(automation=Automation(Actor("robot"))),
            rules(automation=Automation(Actor("robot"), [AutomationRule("all", ["deal"])])),
            rules(kinds=(COMPANY, CONTACT, DEAL)),
        ]
        assert 10 == len({made.digest, *(other.digest for other in others)})

    def test_a_list_changed_afterwards(self) -> None:
        """What is changed after it was handed over changes no rules."""
        kinds, transforms = [DEAL], {"shout": shout}
        made = ConversionRules(kinds=kinds, pipelines=[LEADS, SALES], transforms=transforms)
        kinds.append(COMPANY)
        transforms.clear()
        assert (DEAL,) == made.kinds
        assert (("shout", shout),) == made.transforms
