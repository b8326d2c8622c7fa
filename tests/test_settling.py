"""Which record each target means: chosen beats bound beats matched beats created."""

import json
import pickle
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import permutations

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Action,
    Actor,
    Attach,
    Channel,
    Company,
    Contact,
    ConversionRules,
    Create,
    Exceptions,
    Field,
    FieldMapping,
    Find,
    GenericRecord,
    Grant,
    Insert,
    Kind,
    Known,
    Lead,
    Limit,
    Link,
    Matching,
    MatchKey,
    MatchRule,
    Merge,
    Pending,
    Pipeline,
    Plan,
    Policy,
    Record,
    Ref,
    Role,
    Stage,
    Target,
    Update,
    convert,
    errors,
    plan,
    wanted,
)
from leadconvert.codec import Codec
from leadconvert.earlier import bound_ids
from leadconvert.errors import Cause
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADMIN = Actor("u-1", roles=["admin"])
ADA = Actor("u-7", roles=["sales"])
LEADS = Pipeline("leads", "lead", ["new", Stage("done", "success")])
SALES = Pipeline("sales", "deal", ["open", Stage("won", "success")])
ON_LEADS = Grant("lead", ["read", "update", "convert", "move"])
MAIL = [Channel("ada@example.com")]
PHONE = [Channel("030 123456")]
MAPPINGS = [
    FieldMapping("last_name", "contact"),
    FieldMapping("emails", "contact"),
    FieldMapping("phones", "contact"),
    FieldMapping("company_name", "company", "name"),
    FieldMapping("company_id", "contact"),
    FieldMapping("title", "deal"),
    FieldMapping("contact_ids", "deal"),
    FieldMapping("company_id", "deal"),
]


def rules(
    *grants: Grant,
    matching: Matching | None = None,
    kinds: Iterable[Kind] = (CONTACT, COMPANY, DEAL),
    limits: Iterable[Limit] = (),
) -> ConversionRules:
    """Rules under which everything is allowed, or sales may do what is granted."""
    policy = Policy([Role("sales", [ON_LEADS, *grants])]) if grants else Policy.allow_all()
    return ConversionRules(
        kinds=kinds,
        pipelines=[LEADS, SALES],
        mappings=MAPPINGS,
        matching=matching or Matching(),
        limits=limits,
        policy=policy,
    )


BY_MAIL = Matching([MatchRule("contact", ["email"])])
LEAD_7 = Lead(
    id="L-7",
    stage="new",
    title="Engine",
    last_name="Lovelace",
    company_name="Engines",
    emails=MAIL,
    phones=PHONE,
)
C_1, C_2, C_3 = (Contact(id=f"C-{n}", last_name=f"No {n}") for n in (1, 2, 3))
MATCHING = attrs.evolve(C_2, emails=MAIL)
EVERYBODY = Known(records=[C_1, MATCHING, C_3])


def look(
    into: Iterable[str | Target],
    by: ConversionRules,
    known: Known | Iterable[Record] = (),
    *,
    lead: Lead = LEAD_7,
    actor: Actor = ADMIN,
) -> Plan:
    """The plan for these targets."""
    there = known if isinstance(known, Known) else Known(records=known)
    return plan(lead, into, rules=by, actor=actor, at=AT, known=there)


def done(p: Plan) -> list[tuple[str, str, tuple[str, ...]]]:
    """What was done with whom, and by which keys it was found."""
    return [(one.action, one.ref.id, one.matched_by) for one in p.result().outcomes]


def codes(p: Plan) -> list[tuple[int | None, str]]:
    """Of which target each problem is, and its code."""
    return [(one.target, one.code) for one in p.problems]


CODEC = Codec(rules())


class TestPrecedence:
    @pytest.mark.parametrize("bound", [(), ("C-1",), ("C-1", "C-3")])
    @pytest.mark.parametrize("matching", [Matching(), BY_MAIL])
    @pytest.mark.parametrize(
        ("target", "action", "whom"),
        [
            (Link("contact", "C-3"), "linked", "C-3"),
            (Merge("contact", "C-3"), "merged", "C-3"),
            (Create("contact"), "created", "L-7.1.contact.1"),
            (Create("contact", id="C-9"), "created", "C-9"),
        ],
    )
    def test_chosen_beats_everything(
        self, bound: tuple[str, ...], matching: Matching, target: Target, action: str, whom: str
    ) -> None:
        """Who is chosen is meant, and so is a new one, whomever the lead is bound to or matches."""
        lead = attrs.evolve(LEAD_7, contact_ids=bound)
        p = look([target], rules(matching=matching), EVERYBODY, lead=lead)
        assert [(action, whom, ())] == done(p)

    @pytest.mark.parametrize("target", ["contact", Find("contact"), Find("contact", values={})])
    @pytest.mark.parametrize(
        ("bound", "matching", "expected"),
        [
            (("C-1",), BY_MAIL, ("merged", "C-1", ())),
            (("C-1",), Matching(), ("merged", "C-1", ())),
            (("C-3", "C-1"), BY_MAIL, ("merged", "C-3", ())),
            ((), BY_MAIL, ("merged", "C-2", ("email",))),
            ((), Matching(), ("created", "L-7.1.contact.1", ())),
            (
                (),
                Matching([MatchRule("contact", ["phone"])]),
                ("created", "L-7.1.contact.1", ()),
            ),
            (
                (),
                Matching([MatchRule("company", ["email"])]),
                ("created", "L-7.1.contact.1", ()),
            ),
        ],
    )
    def test_bound_beats_matched_beats_created(
        self,
        target: str | Target,
        bound: tuple[str, ...],
        matching: Matching,
        expected: tuple[str, str, tuple[str, ...]],
    ) -> None:
        """A plain name is whom the lead is bound to first, else who matches, else a new one."""
        lead = attrs.evolve(LEAD_7, contact_ids=bound)
        assert [expected] == done(look([target], rules(matching=matching), EVERYBODY, lead=lead))

    def test_a_kind_of_which_none_is_made(self) -> None:
        """Where the rules make none of a kind, one that exists is meant, or it is a problem."""
        by = rules(matching=BY_MAIL, limits=[Limit("contact", "never")])
        assert [("merged", "C-2", ("email",))] == done(look(["contact"], by, EVERYBODY))
        for target in ("contact", Create("contact")):
            p = look([target], by, [C_1])
            assert [(0, "never_made")] == codes(p)
            assert errors.InvalidTargetError is type(refusal(p))

    def test_each_kind_for_itself(self) -> None:
        """Being bound to a company says nothing about the contact."""
        lead = attrs.evolve(LEAD_7, company_id="CO-9")
        known = [*EVERYBODY.records, Company(id="CO-9", name="Other")]
        p = look(["deal", "contact", "company"], rules(matching=BY_MAIL), known, lead=lead)
        assert [
            ("merged", "C-2", ("email",)),
            ("unchanged", "CO-9", ()),
            ("created", "L-7.1.deal.1", ()),
        ] == sorted(done(p), key=lambda one: one[1])
        assert (("C-2",), "CO-9") == (p.result().deal.contact_ids, p.result().deal.company_id)

    def test_several_new_ones(self) -> None:
        """Each new record has an id of its own, counted by kind."""
        p = look(["deal", Create("deal"), "contact", Create("deal", id="D-1")], rules())
        ids = [one.ref.id for one in p.result().outcomes if one.ref.kind == "deal"]
        assert ["L-7.1.deal.1", "L-7.1.deal.2", "D-1"] == ids

    def test_whom_a_lead_is_bound_to(self) -> None:
        """Its references to that kind, in the order of its fields, blanks left out."""
        lead_kind = attrs.evolve(LEAD, custom=[Field("UF_C", "reference", to="contact")])
        lead = attrs.evolve(LEAD_7, contact_ids=["C-1", " ", "C-3"], custom={"UF_C": "C-2"})
        assert ("C-1", "C-3", "C-2") == bound_ids(lead, lead_kind, CONTACT)
        assert () == bound_ids(lead, lead_kind, COMPANY)

    def test_bound_to_whoever_is_not_there(self) -> None:
        """Whom a lead is bound to is never replaced by somebody who matches, or by a new one."""
        lead = attrs.evolve(LEAD_7, contact_ids=["C-9", "C-1"])
        p = look(["contact"], rules(matching=BY_MAIL), EVERYBODY, lead=lead)
        assert [(0, "record_not_there")] == codes(p)
        assert "there is no contact 'C-9' to work with" == p.problems[0].message

    @pytest.mark.parametrize("blank", ["", "  "])
    def test_bound_to_a_blank(self, blank: str) -> None:
        """A blank in place of an id binds a lead to nobody."""
        lead = attrs.evolve(LEAD_7, contact_ids=[blank], company_id=blank)
        p = look(["contact", "company"], rules(), lead=lead)
        assert ["created", "created"] == [one.action for one in p.result().outcomes]


class TestThen:
    @pytest.mark.parametrize(
        ("then", "nobody", "one", "several"),
        [
            ("none", "created", "created", "created"),
            ("link", "created", "linked C-2", "several_matches"),
            ("merge", "created", "merged C-2", "several_matches"),
            ("ask", "created", "match_to_decide", "several_matches"),
            ("refuse", "created", "match_refused", "several_matches"),
        ],
    )
    def test_table(self, then: str, nobody: str, one: str, several: str) -> None:
        """What follows from nobody, one and several who match, by each word."""
        by = rules(matching=Matching([MatchRule("contact", ["email"], then)]))
        other = attrs.evolve(C_1, emails=MAIL)
        for expected, records in (
            (nobody, [C_1, C_3]),
            (one, [C_1, MATCHING, C_3]),
            (several, [other, MATCHING, C_3]),
        ):
            p = look(["contact"], by, records)
            if p.ok:
                [outcome] = p.result().outcomes
                new = outcome.action == "created"
                assert expected == (outcome.action if new else f"{outcome.action} {outcome.ref.id}")
            else:
                assert [(0, expected)] == codes(p)

    @pytest.mark.parametrize(
        ("then", "error", "told"),
        [
            (
                "ask",
                errors.AmbiguousMatchError,
                "the contact 'C-2' matches the lead",
            ),
            (
                "refuse",
                errors.InvalidTargetError,
                "the contact 'C-2' matches the lead, and the rules make no second one",
            ),
        ],
    )
    def test_what_is_left_to_a_person(
        self, then: str, error: type[errors.ConversionError], told: str
    ) -> None:
        """Whoever is asked is told who matches and by what, and any choice of theirs counts."""
        by = rules(matching=Matching([MatchRule("contact", ["email"], then)]))
        with pytest.raises(error) as caught:
            look(["contact"], by, EVERYBODY).result()
        [problem] = caught.value.problems
        assert told == problem.message
        assert {"candidates": ({"id": "C-2", "by": ("email",)},)} == problem.params
        for target, action in (
            (Link("contact", "C-2"), "linked"),
            (Merge("contact", "C-2"), "merged"),
            (Create("contact"), "created"),
        ):
            assert action == done(look([target], by, EVERYBODY))[0][0]

    def test_linking_leaves_the_record_as_it_is(self) -> None:
        """Who is linked remembers the lead, and nothing else of it changes."""
        by = rules(matching=Matching([MatchRule("contact", ["email"], "link")]))
        ada = attrs.evolve(MATCHING, revision="3", converted_from=["L-1"])
        result = look(["contact", "deal"], by, [ada]).result()
        assert attrs.evolve(ada, converted_from=["L-1", "L-7"]) == result.contact
        assert ("C-2",) == result.deal.contact_ids
        attach, deal, _ = result.changes.changes
        assert Attach(Ref("contact", "C-2"), "converted_from", [Ref("lead", "L-7")]) == attach
        assert isinstance(deal, Insert)
        assert {"phones", "last_name", "emails"}.isdisjoint(
            row.field for row in result.rows if row.outcome == "carried"
        )
        assert ("no_target", "no_target") == tuple(
            row.reason for row in result.dropped if row.field in {"last_name", "phones"}
        )

    def test_merging_fills_its_gaps(self) -> None:
        """Who is merged into gets what it lacks, and keeps what it has."""
        result = look(["contact"], rules(matching=BY_MAIL), EVERYBODY).result()
        assert attrs.evolve(MATCHING, phones=PHONE, converted_from=["L-7"]) == result.contact
        assert ["last_name"] == [row.field for row in result.unmerged]

    def test_a_name_of_the_lead_is_filled_on_the_way(self) -> None:
        """A value filled into the lead on the way is matched by as well."""
        lead = attrs.evolve(LEAD_7, emails=())
        by = rules(matching=BY_MAIL)
        assert "created" == done(look(["contact"], by, EVERYBODY, lead=lead))[0][0]
        p = plan(
            lead,
            ["contact"],
            rules=by,
            actor=ADMIN,
            at=AT,
            known=EVERYBODY,
            values={"emails": MAIL},
        )
        assert [("merged", "C-2", ("email",))] == done(p)

    def test_exceptions(self) -> None:
        """By what is on the list of exceptions nobody matches."""
        listed = attrs.evolve(BY_MAIL, exceptions=Exceptions(emails=["ADA@example.com"]))
        assert "created" == done(look(["contact"], rules(matching=listed), EVERYBODY))[0][0]


class TestSeveral:
    def several(self) -> list[Contact]:
        """Three who match, by more or less."""
        return [
            Contact(id="C-30", last_name="X", emails=MAIL),
            Contact(id="C-10", last_name="Y", phones=PHONE),
            Contact(id="C-20", last_name="Z", phones=PHONE, emails=MAIL),
        ]

    def test_all_of_them_in_one_order(self) -> None:
        """All candidates are named with what they match by, however they were loaded."""
        by = rules(matching=Matching([MatchRule("contact", ["email", "phone"])]))
        found = set[errors.ConversionError]()
        for order in permutations(self.several()):
            with pytest.raises(errors.AmbiguousMatchError) as caught:
                look(["contact"], by, order).result()
            found.add(caught.value)
        [error] = found
        [problem] = error.problems
        assert (Cause.AMBIGUOUS, 0, "contact") == (problem.cause, problem.target, problem.kind)
        assert {
            "count": 3,
            "candidates": (
                {"id": "C-10", "by": ("phone",)},
                {"id": "C-20", "by": ("email", "phone")},
                {"id": "C-30", "by": ("email",)},
            ),
        } == problem.params
        assert (
            "lead L-7: 3 records of kind contact match the lead: 'C-10', 'C-20', 'C-30'"
            " (choose one with Link or Merge, or make a new one with Create)"
        ) == str(error)

    def test_no_value_of_theirs_is_told(self) -> None:
        """A candidate is named by its id and the sorts of keys, never by what it holds."""
        by = rules(matching=Matching([MatchRule("contact", ["email", "phone"])]))
        p = look(["contact"], by, self.several())
        told = repr(p.problems) + json.dumps(Codec(by).to_data(p.shown()))
        assert not [one for one in ("'X'", '"X"', '"Y"', '"Z"') if one in told]

    def test_before_anything_is_decided(self) -> None:
        """One target that is a question leaves nothing to be written for any other."""
        by = rules(matching=Matching([MatchRule("contact", ["email", "phone"])]))
        p = look(["company", "contact", "deal"], by, self.several())
        assert [(1, "several_matches")] == codes(p)
        assert p.conversion is None

    def test_it_hides_what_else_is_wrong_with_that_target_alone(self) -> None:
        """The problems of other targets are told along with the question."""
        by = rules(matching=Matching([MatchRule("contact", ["email", "phone"])]))
        lead = attrs.evolve(LEAD_7, title=None, last_name=None)
        p = look([Find("contact", values={"nonsense": 1}), "deal"], by, self.several(), lead=lead)
        assert [(0, "several_matches"), (1, "required")] == codes(p)
        assert errors.AmbiguousMatchError is type(refusal(p))

    def test_one_of_them_chosen(self) -> None:
        """Whoever is chosen settles it, and so does a new one."""
        by = rules(matching=Matching([MatchRule("contact", ["email", "phone"])]))
        for target in (Link("contact", "C-10"), Merge("contact", "C-30"), Create("contact")):
            assert look([target], by, self.several()).ok

    def test_one_record_told_twice(self) -> None:
        """A record that was handed over twice is one."""
        p = look(["contact"], rules(matching=BY_MAIL), [MATCHING, C_1, MATCHING])
        assert [("merged", "C-2", ("email",))] == done(p)


OWN = Grant("contact", ["read", "link", "update", "merge", "create", "assign"], "own")
SALES_ROLE = [OWN, Grant("company", ["read", "create"]), Grant("deal", ["read", "create"])]
#: Everything there is to be seen of somebody else's contact.
SECRET = Contact(
    id="C-2",
    revision="secret-7",
    owner_id="u-8",
    last_name="Secret",
    emails=MAIL,
    phones=PHONE,
    company_id="CO-77",
)


def seen(p: Plan) -> list[bytes]:
    """All that an actor gets to see of a plan, in every form it has."""
    told: list[object] = [p.shown(), p.problems, p.form, p.questions, repr(p)]
    if not p.ok:
        error = refusal(p)
        told += [error, str(error), repr(error)]
    as_json = [json.dumps(CODEC.to_data(p.shown()))]
    return [*map(pickle.dumps, told), *(one.encode() for one in as_json)]


def refusal(p: Plan) -> errors.ConversionError:
    """The error that a plan with problems raises."""
    with pytest.raises(errors.ConversionError) as caught:
        p.result()
    return caught.value


class TestUnreadable:
    @pytest.mark.parametrize(
        "target",
        [
            "contact",
            Find("contact"),
            Find("contact", values={"last_name": "Given"}),
            Link("contact", "C-2"),
            Link("contact", "C-2", revision="secret-7"),
            Link("contact", "C-2", revision="other"),
            Link("contact", "C-2", values={"last_name": "Given"}),
            Merge("contact", "C-2"),
            Merge("contact", "C-2", revision="secret-7"),
            Merge("contact", "C-2", revision="other"),
            Merge("contact", "C-2", values={"nonsense": 1}),
            Create("contact", id="C-2"),
        ],
    )
    @pytest.mark.parametrize("bound", [False, True])
    @pytest.mark.parametrize("then", ["none", "link", "merge", "ask", "refuse"])
    def test_as_one_that_does_not_exist(self, target: str | Target, bound: bool, then: str) -> None:
        """Whatever is asked of it, the answer is byte for byte that for a record not there."""
        matching = Matching([MatchRule("contact", ["email", "phone"], then)], enrich=True)
        by = rules(*SALES_ROLE, matching=matching)
        lead = attrs.evolve(LEAD_7, owner_id="u-7", contact_ids=["C-2"] if bound else [])
        for into in ([target], [target, "deal"], ["company", target, "deal"]):
            hidden = look(into, by, [SECRET], lead=lead, actor=ADA)
            absent = look(into, by, [], lead=lead, actor=ADA)
            assert seen(absent) == seen(hidden)

    @pytest.mark.parametrize("cls", [Link, Merge])
    def test_what_is_told(self, cls: type[Link | Merge]) -> None:
        """A record not there is an unknown target; what would help is told alike."""
        p = look([cls("contact", "C-2")], rules(*SALES_ROLE), [SECRET], actor=ADA)
        [problem] = p.problems
        assert (Cause.UNKNOWN_TARGET, "record_not_there") == (problem.cause, problem.code)
        assert (
            "there is no contact 'C-2' to work with"
            " (load what wanted() lists, or choose another record)"
        ) == str(problem)
        with pytest.raises(errors.UnknownTargetError):
            p.result()

    def test_never_a_candidate(self) -> None:
        """Of two who match, one of them unreadable, the other is meant without a question."""
        mine = Contact(id="C-5", owner_id="u-7", emails=MAIL)
        by = rules(*SALES_ROLE, matching=BY_MAIL)
        assert [("merged", "C-5", ("email",))] == done(
            look(["contact"], by, [SECRET, mine], actor=ADA)
        )
        everything = rules(matching=BY_MAIL)
        p = look(["contact"], everything, [SECRET, mine])
        assert [(0, "several_matches")] == codes(p)

    def test_nobody_sees_more_afterwards(self) -> None:
        """A new record is made beside one that nobody may read, which stays untouched."""
        lead = attrs.evolve(LEAD_7, owner_id="u-7")
        by = rules(
            Grant("contact", ["create"]), Grant("contact", ["read"], "own"), matching=BY_MAIL
        )
        result = look(["contact"], by, [SECRET], lead=lead, actor=ADA).result()
        assert "created" == result.outcomes[0].action
        assert Ref("contact", "C-2") not in {one.ref for one in result.changes.changes}


class TestTheLeadItself:
    def test_is_never_a_match(self) -> None:
        """Neither the lead nor another lead is a client, though they have all keys in common."""
        everything = Matching(
            [MatchRule(one, ["email", "phone"], "refuse") for one in ("contact", "company")]
        )
        known = [LEAD_7, attrs.evolve(LEAD_7, id="L-8")]
        p = look(["contact", "company"], rules(matching=everything), known)
        assert ["created", "created"] == [one.action for one in p.result().outcomes]

    @pytest.mark.parametrize("cls", [Link, Merge])
    def test_cannot_be_chosen(self, cls: type[Link | Merge]) -> None:
        """A lead is nothing that one may convert into."""
        for kind, code in (("lead", "unknown_kind"), ("contact", "record_not_there")):
            p = look([cls(kind, "L-7")], rules(), [LEAD_7])
            assert [(0, code)] == codes(p)

    def test_another_record_under_its_id(self) -> None:
        """Ids are those of a kind: a contact may have the id that the lead has."""
        namesake = attrs.evolve(MATCHING, id="L-7")
        assert [("merged", "L-7", ("email",))] == done(
            look(["contact"], rules(matching=BY_MAIL), [namesake])
        )


class TestChosen:
    @pytest.mark.parametrize("cls", [Link, Merge])
    @pytest.mark.parametrize(
        ("given", "now", "fresh"),
        [
            (None, None, True),
            (None, "7", True),
            ("7", "7", True),
            ("6", "7", False),
            ("7", None, False),
            ("", None, False),
            ("", "", True),
        ],
    )
    def test_revisions(
        self, cls: type[Link | Merge], given: str | None, now: str | None, fresh: bool
    ) -> None:
        """With a revision it is meant only as it was then."""
        target = cls("contact", "C-1", revision=given)
        p = look([target], rules(), [attrs.evolve(C_1, revision=now)])
        assert fresh == p.ok
        if not fresh:
            [problem] = p.problems
            assert (Cause.INVALID_TARGET, "stale_target") == (problem.cause, problem.code)
            assert (
                f"contact 'C-1' has changed since: it has revision {now!r}, not {given!r}"
            ) == problem.message
            with pytest.raises(errors.InvalidTargetError):
                p.result()

    def test_the_store_checks_it_again(self) -> None:
        """What is merged names the revision it was decided on; what is linked needs none."""
        known = [attrs.evolve(C_1, revision="7")]
        merged, _, _ = look([Merge("contact", "C-1")], rules(), known).result().changes.changes
        assert isinstance(merged, Update)
        assert "7" == merged.revision
        linked, _ = look([Link("contact", "C-1")], rules(), known).result().changes.changes
        assert isinstance(linked, Attach)

    @pytest.mark.parametrize("cls", [Link, Merge])
    @pytest.mark.parametrize(
        ("kind", "id_", "code"),
        [
            ("contact", "CO-9", "record_not_there"),
            ("company", "C-1", "record_not_there"),
            ("deal", "C-1", "record_not_there"),
            ("contact", "", "record_not_there"),
            ("contcat", "C-1", "unknown_kind"),
        ],
    )
    def test_another_kind(self, cls: type[Link | Merge], kind: str, id_: str, code: str) -> None:
        """A record of another kind is none of this kind, whatever its id."""
        known = [C_1, Company(id="CO-9", name="Engines")]
        p = look([cls(kind, id_)], rules(), known)
        assert [(0, code)] == codes(p)
        with pytest.raises(errors.UnknownTargetError):
            p.result()

    def test_a_kind_that_is_none(self) -> None:
        """A slip in the name of a kind is told with what was meant."""
        p = look([Link("contcat", "C-1"), Find("deal"), Merge("dael", "D-1")], rules())
        assert [
            "there is no kind 'contcat' to convert into, did you mean 'contact'?",
            "there is no kind 'dael' to convert into, did you mean 'deal'?",
        ] == [one.message for one in p.problems]
        assert {"choose among company, contact, deal"} == {one.remedy for one in p.problems}

    def test_a_record_of_fields_alone(self) -> None:
        """A generic record is one of its kind alone."""
        thing = Kind(
            "thing", fields=[Field("converted_from", "reference", to="lead", multiple=True)]
        )
        by = rules(kinds=(CONTACT, COMPANY, DEAL, thing))
        known = [GenericRecord(kind="thing", id="T-1"), GenericRecord(kind="other", id="T-2")]
        assert [("linked", "T-1", ())] == done(look([Link("thing", "T-1")], by, known))
        assert [(0, "record_not_there")] == codes(look([Link("thing", "T-2")], by, known))

    @pytest.mark.parametrize("cls", [Link, Merge])
    def test_what_was_not_handed_over(self, cls: type[Link | Merge]) -> None:
        """A record that exists nowhere in known is not there."""
        assert [(0, "record_not_there")] == codes(look([cls("contact", "C-1")], rules(), [C_2]))

    def test_a_link_with_values(self) -> None:
        """A record that is linked takes no values, chosen or matched; one merged into does."""
        linking = Matching([MatchRule("contact", ["email"], "link")])
        values = {"last_name": "Given"}
        for target in (Link("contact", "C-2", values=values), Find("contact", values=values)):
            p = look([target], rules(matching=linking), EVERYBODY)
            [problem] = p.problems
            assert (Cause.INVALID_TARGET, "link_with_values") == (problem.cause, problem.code)
            assert (
                "contact 'C-2' is to be linked, which changes nothing in it"
                " (leave values= out, or merge into it)"
            ) == str(problem)
        merging = look([Merge("contact", "C-2", values=values)], rules(), EVERYBODY).result()
        assert "Given" == merging.contact.last_name

    def test_everything_wrong_at_once(self) -> None:
        """A stale link with values is wrong in both ways."""
        target = Link("contact", "C-1", values={"last_name": "x"}, revision="1")
        assert [(0, "stale_target"), (0, "link_with_values")] == codes(
            look([target], rules(), [C_1])
        )


class TestTwoOnOne:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (Link("contact", "C-2"), Link("contact", "C-2")),
            (Link("contact", "C-2"), Merge("contact", "C-2")),
            (Merge("contact", "C-2"), Link("contact", "C-2")),
            (Merge("contact", "C-2"), Merge("contact", "C-2", values={"last_name": "x"})),
            (Link("contact", "C-2"), "contact"),
            ("contact", Merge("contact", "C-2")),
            ("contact", "contact"),
            ("contact", Find("contact", values={"last_name": "x"})),
        ],
    )
    @pytest.mark.parametrize("bound", [False, True])
    def test_in_any_way(self, one: str | Target, other: str | Target, bound: bool) -> None:
        """Two targets that end on one record are a problem of the second, bound or matched."""
        lead = attrs.evolve(LEAD_7, contact_ids=["C-2"] if bound else [])
        p = look([one, "deal", other], rules(matching=BY_MAIL), EVERYBODY, lead=lead)
        [problem] = p.problems
        assert (2, "two_on_one", Cause.INVALID_TARGET) == (
            problem.target,
            problem.code,
            problem.cause,
        )
        assert "two targets end on one record, contact 'C-2' (leave one of them out)" == str(
            problem
        )
        with pytest.raises(errors.InvalidTargetError):
            p.result()

    def test_three(self) -> None:
        """Each one too many is told."""
        thrice: list[str | Target] = [Link("contact", "C-2")] * 3
        p = look(thrice, rules(), EVERYBODY)
        assert [(1, "two_on_one"), (2, "two_on_one")] == codes(p)

    @pytest.mark.parametrize(
        "into",
        [
            [Create("contact", id="C-2"), Link("contact", "C-2")],
            [Link("contact", "C-2"), Create("contact", id="C-2")],
            [Create("contact", id="C-2")],
        ],
    )
    def test_a_new_record_under_an_id_that_is_taken(self, into: list[Target]) -> None:
        """A new record needs an id that nobody has."""
        assert "duplicate_id" in {code for _, code in codes(look(into, rules(), EVERYBODY))}

    def test_two_new_records_under_one_id(self) -> None:
        """Two new records of one kind need two ids; those of two kinds do not."""
        p = look([Create("contact", id="X"), Create("contact", id="X")], rules())
        assert [(1, "duplicate_id")] == codes(p)
        assert (
            "two records of kind contact would have the id 'X' (give each target its own id)"
        ) == str(p.problems[0])
        assert look([Create("contact", id="X"), Create("deal", id="X")], rules()).ok

    def test_several_of_a_kind(self) -> None:
        """Different records of one kind may be chosen together, beside a new one."""
        clients = Link("contact", "C-1"), Merge("contact", "C-3"), Create("contact")
        p = look([*clients, "deal"], rules(matching=BY_MAIL), EVERYBODY)
        assert ["linked", "merged", "created"] == [one[0] for one in done(p)[:3]]
        assert ("C-1", "C-3", "L-7.1.contact.1") == p.result().deal.contact_ids


FULL_LINK = ["read", "link"]
FULL_MERGE = ["read", "update", "merge"]


class TestAccess:
    @pytest.mark.parametrize(
        ("actions", "denied"),
        [
            (["read"], ["link"]),
            (["read", "update", "merge", "create", "delete", "assign"], ["link"]),
            (FULL_LINK, []),
        ],
    )
    @pytest.mark.parametrize("way", ["chosen", "matched"])
    def test_linking(self, actions: list[str], denied: list[str], way: str) -> None:
        """To link takes the right to read and to link, and no other."""
        matching = Matching([MatchRule("contact", ["email"], "link")])
        target: str | Target = "contact" if way == "matched" else Link("contact", "C-2")
        self.check(target, matching, Grant("contact", actions), denied)

    @pytest.mark.parametrize(
        ("actions", "denied"),
        [
            (["read"], ["update", "merge"]),
            (["read", "link", "create", "assign"], ["update", "merge"]),
            (["read", "update"], ["merge"]),
            (["read", "merge"], ["update"]),
            (FULL_MERGE, []),
        ],
    )
    @pytest.mark.parametrize("way", ["chosen", "matched", "bound"])
    def test_merging(self, actions: list[str], denied: list[str], way: str) -> None:
        """To merge takes the right to read, to update and to merge, also where nothing changes."""
        target: str | Target = Merge("contact", "C-2") if way == "chosen" else "contact"
        lead = attrs.evolve(LEAD_7, contact_ids=["C-2"] if way == "bound" else [])
        for known in (MATCHING, attrs.evolve(MATCHING, phones=PHONE)):
            grant = Grant("contact", actions)
            self.check(target, BY_MAIL, grant, denied, lead=lead, known=known)

    @staticmethod
    def check(  # noqa: PLR0913 - what is asked, of whom, and what comes of it
        target: str | Target,
        matching: Matching,
        grant: Grant,
        denied: list[str],
        *,
        lead: Lead = LEAD_7,
        known: Contact = MATCHING,
    ) -> None:
        """Look what of a contact is denied, and that it is a problem of that target alone."""
        by = rules(grant, Grant("deal", "create"), matching=matching)
        p = look(["deal", target], by, [known], lead=lead, actor=ADA)
        assert [(1, Cause.TARGET_ACCESS, one) for one in denied] == [
            (one.target, one.cause, one.params["action"]) for one in p.problems
        ]
        assert (not denied) == p.ok
        if denied:
            with pytest.raises(errors.AccessDeniedError):
                p.result()
            assert ["deal"] == [draft.ref.kind for draft in p.shown().targets]

    @pytest.mark.parametrize("target", [Link("contact", "C-2"), Merge("contact", "C-2"), "contact"])
    def test_judged_on_the_record_as_it_is_stored(self, target: str | Target) -> None:
        """Whose the record is decides, not whose the lead is."""
        by = rules(
            Grant("contact", "read"),
            Grant("contact", ["link", "update", "merge"], "own"),
            matching=BY_MAIL,
        )
        lead = attrs.evolve(LEAD_7, owner_id="u-7")
        theirs = attrs.evolve(MATCHING, owner_id="u-8")
        p = look([target], by, [theirs], lead=lead, actor=ADA)
        assert {(0, "out_of_scope")} == set(codes(p))
        assert look([target], by, [attrs.evolve(theirs, owner_id="u-7")], lead=lead, actor=ADA).ok

    def test_a_denied_target_tells_the_denial_alone(self) -> None:
        """What else is wrong with it is not theirs to know; what is wrong with others is."""
        by = rules(Grant("contact", "read"), Grant("deal", "create"))
        lead = attrs.evolve(LEAD_7, title=None)
        target = Link("contact", "C-1", revision="1", values={"nonsense": 1})
        p = look([target, target, "deal"], by, [C_1], lead=lead, actor=ADA)
        assert [(0, "no_grant"), (1, "no_grant"), (2, "required")] == codes(p)
        assert {"stale_target", "link_with_values", "two_on_one"} == {
            one.code for one in p.withheld
        }

    def test_what_is_asked(self) -> None:
        """Each right is asked of the record itself, once, for the host to answer."""
        known = [attrs.evolve(C_1, owner_id="u-8"), C_3]
        p = look([Link("contact", "C-1"), Merge("contact", "C-3")], rules(), known)
        assert [
            AccessRequest(action=Action.READ, kind="contact", id="C-1", owner_id="u-8"),
            AccessRequest(action=Action.LINK, kind="contact", id="C-1", owner_id="u-8"),
            AccessRequest(action=Action.READ, kind="contact", id="C-3"),
            AccessRequest(action=Action.UPDATE, kind="contact", id="C-3"),
            AccessRequest(action=Action.MERGE, kind="contact", id="C-3"),
        ] == [one for one in p.required_access if one.kind == "contact"]

    def test_nobody_is_looked_at_in_vain(self) -> None:
        """Where nobody could match, no right on anybody is asked for."""
        nameless = attrs.evolve(LEAD_7, emails=(), phones=(), company_name=None)
        for lead, matching in (
            (LEAD_7, Matching()),
            (LEAD_7, Matching([MatchRule("company", ["company"])])),
            (nameless, BY_MAIL),
        ):
            p = look(["contact"], rules(matching=matching), EVERYBODY, lead=lead)
            asked = [one for one in p.required_access if one.kind == "contact"]
            assert [AccessRequest(action=Action.CREATE, kind="contact")] == asked
        p = look(["contact"], rules(matching=BY_MAIL), EVERYBODY)
        assert {"C-1", "C-2", "C-3"} == {one.id for one in p.required_access} - {None, "L-7"}

    def test_no_second_right_for_what_points_at_it(self) -> None:
        """A deal may point at whom the same conversion merges into, without a right to link."""
        by = rules(Grant("contact", FULL_MERGE), Grant("deal", "create"))
        p = look([Merge("contact", "C-2"), "deal"], by, EVERYBODY, actor=ADA)
        assert ("C-2",) == p.result().deal.contact_ids

    def test_an_owner_who_is_merged_in(self) -> None:
        """Giving a record away by merging takes the right to assign it."""
        into = Merge("contact", "C-2", values={"owner_id": "u-9"})
        by = rules(Grant("contact", FULL_MERGE))
        p = look([into], by, EVERYBODY, actor=ADA)
        assert ["assign"] == [one.params["action"] for one in p.problems]
        by = rules(Grant("contact", [*FULL_MERGE, "assign"]))
        assert look([into], by, EVERYBODY, actor=ADA).ok

    def test_behind_a_denied_lead(self) -> None:
        """Whoever may not convert the lead learns nothing of what would be found."""
        by = attrs.evolve(rules(matching=BY_MAIL), policy=Policy())
        p = look(["contact", Link("contact", "C-1")], by, EVERYBODY, actor=ADA)
        assert {Cause.LEAD_ACCESS} == {one.cause for one in p.problems}
        assert seen(p) == seen(look(["contact", Link("contact", "C-1")], by, [], actor=ADA))


class TestPending:
    def test_a_record_that_is_made_elsewhere(self) -> None:
        """A match that no store has yet stays provisional, and its change set comes before."""
        pending = Pending(attrs.evolve(MATCHING, id="L-1.1.contact.1"), "key-1")
        known = Known(pending=[pending], records=[C_1])
        result = look(["contact", "deal"], rules(matching=BY_MAIL), known).result()
        ref = Ref("contact", "L-1.1.contact.1", provisional=True)
        assert ref == result.outcomes[0].ref
        assert ("key-1",) == result.changes.after
        assert ref in {one.ref for one in result.changes.changes}

    def test_a_candidate_beside_a_stored_one(self) -> None:
        """One that is made elsewhere and one that is stored are two, and a question."""
        pending = Pending(attrs.evolve(MATCHING, id="A"), "key-1")
        p = look(["contact"], rules(matching=BY_MAIL), Known(pending=[pending], records=[MATCHING]))
        assert "2 records of kind contact match the lead: 'A', 'C-2'" == p.problems[0].message


def keys(*pairs: tuple[str, str, str]) -> tuple[tuple[str, MatchKey], ...]:
    """What is wanted, out of kinds, sorts and values."""
    return tuple((kind, MatchKey(sort, value)) for kind, sort, value in pairs)


class TestWanted:
    BOTH = Matching(
        [
            MatchRule("contact", ["email", ["phone", "person"]]),
            MatchRule("company", ["company"], "link"),
        ]
    )

    def test_who_is_chosen(self) -> None:
        """Each record that is chosen is to be loaded, once, and the right to read it asked."""
        found = wanted(
            LEAD_7,
            [Link("company", "CO-9"), Merge("contact", "C-1"), Merge("contact", "C-1"), "nonsense"],
            rules=rules(matching=self.BOTH),
        )
        assert (Ref("company", "CO-9"), Ref("contact", "C-1")) == found.refs
        assert () == found.matches
        for ref in found.refs:
            assert AccessRequest(action="read", kind=ref.kind, id=ref.id) in found.access

    def test_who_is_bound(self) -> None:
        """All whom a lead is bound to are to be loaded, and nobody else is looked for."""
        lead = attrs.evolve(LEAD_7, contact_ids=["C-1", "C-3"], company_id="CO-9")
        found = wanted(lead, ["contact", "company"], rules=rules(matching=self.BOTH))
        assert {Ref("contact", "C-1"), Ref("contact", "C-3"), Ref("company", "CO-9")} == set(
            found.refs
        )
        assert () == found.matches

    def test_who_may_match(self) -> None:
        """The keys by which a rule could find somebody are listed by kind, in one order."""
        lead = attrs.evolve(LEAD_7, first_name="Ada")
        found = wanted(lead, ["company", "contact", "deal"], rules=rules(matching=self.BOTH))
        assert () == found.refs
        assert (
            keys(
                ("company", "company", "engines"),
                ("contact", "email", "ada@example.com"),
                ("contact", "person", "ada lovelace"),
                ("contact", "phone", "030123456"),
            )
            == found.matches
        )

    @pytest.mark.parametrize("target", [Create("contact"), Link("contact", "C-1"), "deal"])
    def test_nobody_is_looked_for(self, target: str | Target) -> None:
        """Who is made on purpose or chosen is not looked for, nor is a kind without a rule."""
        assert () == wanted(LEAD_7, [target], rules=rules(matching=self.BOTH)).matches

    def test_no_empty_keys(self) -> None:
        """A lead without anything to be known by asks for nobody."""
        lead = attrs.evolve(LEAD_7, emails=[Channel(" ")], phones=(), company_name="-")
        found = wanted(lead, ["contact", "company"], rules=rules(matching=self.BOTH))
        assert () == found.matches

    def test_no_exceptions(self) -> None:
        """Nobody is looked for by what is on the list of exceptions."""
        listed = attrs.evolve(self.BOTH, exceptions=Exceptions(emails=["ada@example.com"]))
        found = wanted(LEAD_7, ["contact"], rules=rules(matching=listed))
        assert keys(("contact", "phone", "030123456")) == found.matches

    def test_clients_that_are_filled_along(self) -> None:
        """Where the gaps of clients are filled from every lead, they are to be loaded too."""
        lead = attrs.evolve(LEAD_7, contact_ids=["C-1"], company_id="CO-9")
        by = attrs.evolve(
            rules(matching=Matching(enrich=True)), mappings=[FieldMapping("title", "deal")]
        )
        assert {Ref("contact", "C-1"), Ref("company", "CO-9")} == set(
            wanted(lead, ["deal"], rules=by).refs
        )

    def test_what_is_related(self) -> None:
        """Where a client may have but one open deal, whoever refers to the client is asked for."""
        lead = attrs.evolve(LEAD_7, contact_ids=["C-1"], company_id="CO-9")
        by = rules(limits=[Limit("deal", "no_open")])
        found = wanted(lead, ["deal"], rules=by)
        assert {
            ("deal", "contact_ids", Ref("contact", "C-1")),
            ("deal", "company_id", Ref("company", "CO-9")),
        } == set(found.related)
        assert () == wanted(lead, ["contact"], rules=by).related
        assert () == wanted(lead, ["deal"], rules=rules()).related

    def test_what_is_wanted_is_enough(self) -> None:
        """With what is asked for, and nothing else, the decision is the same."""
        lead = attrs.evolve(LEAD_7, company_id="CO-9", first_name="Ada")
        by = rules(matching=self.BOTH)
        store: dict[Ref, Record] = {Ref("contact", one.id): one for one in (C_1, MATCHING, C_3)} | {
            Ref("company", one): Company(id=one, name=one) for one in ("CO-9", "CO-1")
        }
        into = ["company", "contact", "deal"]
        asked = wanted(lead, into, rules=by)
        loaded = [store[ref] for ref in asked.refs]
        sought = {key for kind, key in asked.matches if kind == "contact"}
        loaded += (
            one
            for one in (C_1, MATCHING, C_3)
            if not sought.isdisjoint(by.matching.keys(CONTACT, one))
        )
        assert ["CO-9", "C-2"] == [one.id for one in loaded]
        everything = look(into, by, store.values(), lead=lead)
        assert everything.result() == look(into, by, loaded, lead=lead).result()


class TestStable:
    def test_convert_is_the_same_decision(self) -> None:
        """What a plan settles is what convert does."""
        by = rules(matching=BY_MAIL)
        result = convert(LEAD_7, ["contact"], rules=by, actor=ADMIN, at=AT, known=EVERYBODY)
        assert look(["contact"], by, EVERYBODY).result() == result

    def test_the_order_of_what_is_known(self) -> None:
        """In whatever order records were loaded, one and the same is meant."""
        by = rules(matching=BY_MAIL)
        records = [C_1, MATCHING, C_3, Company(id="CO-9", name="Engines")]
        found = {look(["contact", "deal"], by, order).result() for order in permutations(records)}
        assert 1 == len(found)
