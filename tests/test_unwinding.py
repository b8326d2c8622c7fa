"""Taking single steps back: what each comes to, and what stands in its way."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Final

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Actor,
    Authorizer,
    Channel,
    ChildRule,
    Company,
    Contact,
    ConversionRules,
    Deal,
    Decision,
    Delete,
    Detach,
    Field,
    GenericRecord,
    Kind,
    Pipeline,
    Policy,
    Record,
    Ref,
    Stage,
    TraceStep,
    Update,
)
from leadconvert.errors import Cause, Problem
from leadconvert.kinds import COMPANY, CONTACT, DEAL
from leadconvert.rights import Rights
from leadconvert.traces import marked
from leadconvert.unwinding import Unwinding


TASK: Final = Kind(
    "task",
    fields=[
        Field("lead_id", "reference", to="lead"),
        Field("deal_ids", "reference", to="deal", multiple=True),
        Field("completed", "boolean"),
    ],
)
RULES: Final = ConversionRules(
    kinds=[CONTACT, COMPANY, DEAL],
    pipelines=[
        Pipeline("leads", "lead", ["new", Stage("done", "success")]),
        Pipeline("sales", "deal", ["open", Stage("won", "success")]),
    ],
    children=[ChildRule(TASK, {"deal": "move"})],
)
L_7, L_8 = Ref("lead", "L-7"), Ref("lead", "L-8")
C_3, C_4, C_5 = Ref("contact", "C-3"), Ref("contact", "C-4"), Ref("contact", "C-5")
CO_1, D_5, T_1 = Ref("company", "CO-1"), Ref("deal", "D-5"), Ref("task", "T-1")
BACK: Final = [("converted_from", L_7)]


def ref_of(record: Record) -> Ref:
    """The ref of a record."""
    name = record.kind if isinstance(record, GenericRecord) else type(record).__name__.lower()
    return Ref(name, record.id)


@attrs.frozen
class Denying:
    """Denies some actions on all there is, and counts what it was asked."""

    actions: tuple[str, ...] = ()
    asked: list[tuple[str, str | None]] = attrs.field(factory=list)

    def decide(self, actor: Actor, request: AccessRequest, /) -> Decision:
        """Return the answer."""
        self.asked.append((request.action.value, request.id))
        allowed = request.action.value not in self.actions
        return Decision(actor_id=actor.id, request=request, allowed=allowed, code="denied")


def unwound(  # noqa: PLR0913 - what it depends on
    steps: Iterable[TraceStep],
    *records: Record,
    rules: ConversionRules = RULES,
    authorizer: Authorizer | None = None,
    merged: Iterable[tuple[Ref, Ref]] = (),
    held: Iterable[Ref] = (),
    keep: bool = False,
) -> Unwinding:
    """What taking these steps back comes to."""
    decides = authorizer or Policy.allow_all()
    unwinding = Unwinding(
        rights=Rights(actor=Actor("u-7"), authorizer=decides, rules=rules),
        there={ref_of(one): one for one in records},
        merged=tuple(merged),
        held=frozenset(held),
        keep=keep,
    )
    unwinding.unwind(steps)
    return unwinding


def step(
    action: str,
    ref: Ref,
    before: Mapping[str, object] | None = None,
    written: Mapping[str, object] | None = None,
    attached: Iterable[tuple[str, Ref]] = (),
) -> TraceStep:
    """A step that wrote these values."""
    return TraceStep(
        ref=ref,
        action=action,
        before=before or {},
        written=marked(written or {}),
        attached=attached,
    )


def told(problems: Iterable[Problem]) -> list[tuple[str, str, dict[str, object]]]:
    """Of each problem the code, the kind and the facts."""
    return [(one.code, str(one.kind), dict(one.params)) for one in problems]


class TestEachStep:
    def test_created(self) -> None:
        """It is removed, on the revision that was read."""
        done = unwound(
            [step("created", D_5, written={"title": "Engine"}, attached=BACK)],
            Deal(id="D-5", revision="3", title="Engine", converted_from=["L-7"]),
        )

        attached = {"converted_from": (L_7,), "contact_ids": ()}
        assert (Delete(D_5, "3", attached),) == done.changes
        assert ((D_5,), (), (), []) == (done.removed, done.restored, done.released, done.problems)

    def test_merged(self) -> None:
        """It is given back what it held, and let go of; what was not written stays."""
        old = Contact(id="C-3", revision="3", last_name="Hopper", comments="new", tags=["vip"])
        written = {"comments": "new"}
        done = unwound(
            [step("merged", C_3, {"comments": None}, written, BACK)],
            attrs.evolve(old, converted_from=["L-1", "L-7"]),
        )

        assert (
            Update(C_3, "3", {"comments": None}),
            Detach(C_3, "converted_from", [L_7]),
        ) == done.changes
        assert (attrs.evolve(old, comments=None, converted_from=["L-1"]),) == done.restored
        assert ((C_3,), ()) == (done.released, done.removed)

    def test_linked(self) -> None:
        """It is let go of, and not looked at."""
        done = unwound([step("linked", C_3, attached=BACK)])

        assert (Detach(C_3, "converted_from", [L_7]),) == done.changes
        assert ([], ()) == (done.problems, done.restored)

    @pytest.mark.parametrize("action", ["moved", "closed"])
    @pytest.mark.parametrize("keep", [False, True])
    def test_a_child_that_was_written(self, action: str, keep: bool) -> None:
        """It goes back, also if what was made stays."""
        task = GenericRecord(kind="task", id="T-1", revision="3", custom={"completed": True})
        done = unwound(
            [step(action, T_1, {"completed": False}, {"completed": True})], task, keep=keep
        )

        assert (Update(T_1, "3", {"completed": False}),) == done.changes
        assert [{"completed": False}] == [dict(one.custom) for one in done.restored]

    @pytest.mark.parametrize("keep", [False, True])
    def test_a_child_that_was_shared(self, keep: bool) -> None:
        """What was added is taken out, and nothing else is looked at."""
        done = unwound([step("shared", T_1, attached=[("deal_ids", D_5)])], keep=keep)

        assert (Detach(T_1, "deal_ids", [D_5]),) == done.changes

    def test_a_copy(self) -> None:
        """It is removed like what was created."""
        task = GenericRecord(kind="task", id="T-1", custom={"completed": True})

        assert (Delete(T_1, None, {"deal_ids": ()}),) == unwound(
            [step("copied", T_1, written={"completed": True})], task
        ).changes

    def test_who_is_attached_when_it_is_removed(self) -> None:
        """Whoever is in its sets by then, once what was done to it later is taken back."""
        pets = Field("pets", "reference", to="animal", multiple=True)
        deal = attrs.evolve(DEAL, custom=[pets, Field("UF_TAGS", "text", multiple=True)])
        written = {"contact_ids": (C_3, C_4), "UF_TAGS": ("x",)}
        done = unwound(
            [
                step("created", D_5, written=written, attached=BACK),
                step("linked", D_5, attached=[("contact_ids", C_3)]),
                step("merged", D_5, {"pets": (Ref("animal", "A-1"),)}, {"pets": ()}),
            ],
            Deal(
                id="D-5",
                contact_ids=["C-3", "C-4"],
                converted_from=["L-7"],
                custom={"UF_TAGS": ("x",)},
            ),
            rules=attrs.evolve(RULES, kinds=[CONTACT, COMPANY, deal]),
        )

        assert [] == done.problems
        assert (
            Update(D_5, None, {"pets": (Ref("animal", "A-1"),)}),
            Detach(D_5, "contact_ids", [C_3]),
            Delete(
                D_5,
                None,
                {
                    "contact_ids": (C_4,),
                    "converted_from": (L_7,),
                    "pets": (Ref("animal", "A-1"),),
                },
            ),
        ) == done.changes

    @pytest.mark.parametrize("action", ["filled", "something new"])
    def test_any_other(self, action: str) -> None:
        """What was done to the lead is for others to take back."""
        done = unwound([step(action, L_7, {"title": None}, {"title": "x"}, BACK)])

        assert ((), []) == (done.changes, done.problems)

    def test_provisional_refs(self) -> None:
        """A store that keeps the ids need not bind them."""
        made, other = attrs.evolve(D_5, provisional=True), attrs.evolve(C_3, provisional=True)
        done = unwound(
            [
                step("shared", T_1, attached=[("deal_ids", made)]),
                step("created", made, written={"contact_ids": (other,)}, attached=BACK),
            ],
            Deal(id="D-5", contact_ids=["C-3"], converted_from=["L-7"]),
        )

        attached = {"converted_from": (L_7,), "contact_ids": (C_3,)}
        assert (Delete(D_5, None, attached),) == done.changes[1:]
        assert [Detach(T_1, "deal_ids", [D_5])] == [*done.changes[:1]]


class TestKeeping:
    """What was made and merged stays, and is only let go of."""

    @pytest.mark.parametrize("action", ["created", "merged", "linked"])
    def test_targets(self, action: str) -> None:
        """Whatever they hold by now, and whether they are there or not."""
        steps = [step(action, C_3, {"comments": None}, {"comments": "x"}, BACK)]
        for records in ([Contact(id="C-3", comments="other", converted_from=["L-7"])], []):
            done = unwound(steps, *records, keep=True)

            assert (Detach(C_3, "converted_from", [L_7]),) == done.changes
            assert ([], (C_3,)) == (done.problems, done.released)

    def test_copies(self) -> None:
        """They stay with what they were made for."""
        assert () == unwound([step("copied", T_1)], keep=True).changes


class TestOrder:
    def test_the_last_first(self) -> None:
        """Whoever refers to a record goes before it."""
        steps = [
            step("created", CO_1, attached=BACK),
            step("created", C_3, written={"company_id": CO_1}, attached=BACK),
            step("created", D_5, written={"contact_ids": (C_3,), "company_id": CO_1}),
        ]
        done = unwound(
            steps,
            Company(id="CO-1"),
            Contact(id="C-3", company_id="CO-1"),
            Deal(id="D-5", contact_ids=["C-3"], company_id="CO-1"),
        )

        assert ((D_5, C_3, CO_1), []) == (done.removed, done.problems)

    def test_updates_before_removals(self) -> None:
        """What referred to a record does so no longer when it is removed."""
        done = unwound(
            [
                step("created", CO_1, attached=BACK),
                step("merged", C_3, {"company_id": None}, {"company_id": CO_1}, BACK),
            ],
            Company(id="CO-1"),
            Contact(id="C-3", company_id="CO-1", converted_from=["L-7"]),
        )

        assert [Update, Detach, Delete] == [type(one) for one in done.changes]

    def test_one_record_twice(self) -> None:
        """It is restored through both steps, the later one first, and updated once."""
        done = unwound(
            [
                step(
                    "merged", C_3, {"comments": None, "tags": ("a",)}, {"comments": "1", "tags": ()}
                ),
                step("merged", C_3, {"comments": "1"}, {"comments": "2"}),
            ],
            Contact(id="C-3", revision="3", comments="2"),
        )

        assert (Update(C_3, "3", {"comments": None, "tags": ("a",)}),) == done.changes
        assert (Contact(id="C-3", revision="3", tags=["a"]),) == done.restored

    def test_steps_of_several_conversions(self) -> None:
        """What one finds the one before has left."""
        unwinding = unwound(
            [step("closed", T_1, {"completed": False}, {"completed": True})],
            GenericRecord(kind="task", id="T-1", custom={"completed": True, "lead_id": "L-8"}),
        )
        unwinding.unwind([step("moved", T_1, {"lead_id": L_7}, {"lead_id": L_8})])

        assert [{"completed": False, "lead_id": "L-7"}] == [
            dict(one.custom) for one in unwinding.restored
        ]


class TestWhatIsUnchanged:
    """`unchanged` says what to restore."""

    @staticmethod
    def restored(
        record: Contact,
        before: Mapping[str, object],
        written: Mapping[str, object],
        merged: Iterable[tuple[Ref, Ref]] = (),
    ) -> tuple[dict[str, object], list[str]]:
        """What is restored, and which fields were changed since."""
        unwinding = unwound([], Company(id="CO-2", name="Engines"), merged=merged)
        values = unwinding.unchanged(step("merged", C_3, before, written), CONTACT, record)
        fields = [one.params["fields"] for one in unwinding.problems]
        return values, [str(name) for names in fields if isinstance(names, tuple) for name in names]

    def test_as_written(self) -> None:
        """All of it, as it was before."""
        values = {"comments": "old", "emails": (Channel("a@example.com"),), "opened": None}
        written = {"comments": "new", "emails": (), "opened": False}

        assert (values, []) == self.restored(
            Contact(id="C-3", comments="new", opened=False), values, written
        )

    def test_changed_since(self) -> None:
        """What was changed is not restored; the rest is."""
        assert ({"tags": ()}, ["comments"]) == self.restored(
            Contact(id="C-3", comments="newer", tags=["a"]),
            {"comments": "old", "tags": ()},
            {"comments": "new", "tags": ("a",)},
        )

    @pytest.mark.parametrize(
        ("written", "now"),
        [("", None), (" ", ""), (None, " "), (Decimal("1.0"), Decimal("1.00"))],
    )
    def test_the_same_told_otherwise(self, written: object, now: object) -> None:
        """Nothing is nothing, and a number is a number, however a store tells it."""
        record = Contact(id="C-3", custom={"UF_X": now})
        kind = attrs.evolve(CONTACT, custom=[Field("UF_X", "text")])
        unwinding = unwound([])
        done = step("merged", C_3, {"UF_X": "old"}, {"UF_X": written})

        assert {"UF_X": "old"} == unwinding.unchanged(done, kind, record)

    def test_no_number_but_a_text(self) -> None:
        """Values of two types are two values."""
        assert ({}, ["comments"]) == self.restored(
            Contact(id="C-3", comments="1"), {"comments": None}, {"comments": 1}
        )

    def test_references_to_whoever_survived(self) -> None:
        """A reference that follows a merge was not changed, and one to restore follows it."""
        two = Ref("company", "CO-2")

        assert ({"company_id": two}, []) == self.restored(
            Contact(id="C-3", company_id="CO-4"),
            {"company_id": CO_1},
            {"company_id": Ref("company", "CO-3")},
            [(CO_1, two), (Ref("company", "CO-3"), Ref("company", "CO-4"))],
        )

    @pytest.mark.parametrize("now", [("C-5",), ("C-3", "C-5"), ("C-3", "C-4", "C-5"), ("C-4",)])
    def test_several_references(self, now: tuple[str, ...]) -> None:
        """Two that were merged into one are one, whether the record was told of it or not."""
        unwinding = unwound([], Contact(id="C-5"), merged=[(C_3, C_5), (C_4, C_5)])
        done = step("merged", D_5, {"contact_ids": (C_3, C_4)}, {"contact_ids": (C_3, C_4, C_5)})

        assert {"contact_ids": (C_5,)} == unwinding.unchanged(
            done, DEAL, Deal(id="D-5", contact_ids=now)
        )

    def test_nothing_is_restored_to_what_is_gone(self) -> None:
        """A reference stays where its record would point at nothing; the rest goes back."""
        before = {"company_id": CO_1, "comments": "old"}
        written = {"company_id": Ref("company", "CO-2"), "comments": "new"}
        unwinding = unwound([])

        assert {"comments": "old"} == unwinding.unchanged(
            step("merged", C_3, before, written),
            CONTACT,
            Contact(id="C-3", company_id="CO-2", comments="new"),
        )
        assert [("gone_since", "company", "CO-1")] == [
            (one.code, one.kind, one.params["id"]) for one in unwinding.problems
        ]

    def test_whoever_is_pointed_at_is_there(self) -> None:
        """Of several only those are looked for at whom the record does not point now."""
        unwinding = unwound([], Contact(id="C-4"))
        done = step("merged", D_5, {"contact_ids": (C_3, C_4)}, {"contact_ids": (C_5, C_3)})
        now = Deal(id="D-5", contact_ids=["C-5", "C-3"])

        assert {"contact_ids": (C_3, C_4)} == unwinding.unchanged(done, DEAL, now)
        assert [] == unwinding.problems

    def test_a_child_does_not_go_back_to_what_is_gone(self) -> None:
        """Then all its references stay, or else it would belong to nobody."""
        values = {"lead_id": "L-8", "deal_ids": (), "completed": True}
        before = {"lead_id": L_7, "deal_ids": (D_5,), "completed": False}
        written = {"lead_id": L_8, "deal_ids": (), "completed": True}
        unwinding = unwound([])

        assert {"completed": False} == unwinding.unchanged(
            step("moved", T_1, before, written),
            TASK,
            GenericRecord(kind="task", id="T-1", custom=values),
        )
        assert ["gone_since"] == [one.code for one in unwinding.problems]

    def test_values_that_repeat(self) -> None:
        """Only refs are ever put together: product lines and tags stand as they stood."""
        assert ({"tags": ("a", "a")}, []) == self.restored(
            Contact(id="C-3"), {"tags": ("a", "a")}, {"tags": ()}
        )


class TestOthers:
    """Whoever refers to a record keeps it."""

    @staticmethod
    def others(
        *records: Record, held: Iterable[Ref] = (), merged: Iterable[tuple[Ref, Ref]] = ()
    ) -> list[tuple[str, str, dict[str, object]]]:
        """What stands in the way of removing contact C-3."""
        done = unwound([step("created", C_3, attached=BACK)], *records, held=held, merged=merged)
        return told(done.problems)

    def test_each_once(self) -> None:
        """However many fields and leads and merges say so."""
        lead = [("has_others", "contact", {"id": "C-3", "count": 1, "others": ("deal D-5",)})]
        twice = attrs.evolve(DEAL, custom=[Field("buyer_id", "reference", to="contact")])
        rules = attrs.evolve(RULES, kinds=[CONTACT, COMPANY, twice])
        done = unwound(
            [step("created", C_3)],
            Contact(id="C-3"),
            Deal(id="D-5", contact_ids=["C-3"], custom={"buyer_id": "C-3"}),
            rules=rules,
        )

        assert lead == told(done.problems)
        assert [("has_others", "contact", {"id": "C-3", "count": 1, "others": ()})] == self.others(
            Contact(id="C-3", converted_from=["L-8", "L-8"]), merged=[(C_4, C_4)]
        )

    def test_itself(self) -> None:
        """A record that refers to itself keeps nothing."""
        parent = Field("parent_id", "reference", to="company")
        company = attrs.evolve(COMPANY, custom=[parent])
        done = unwound(
            [step("created", CO_1, written={"parent_id": CO_1})],
            Company(id="CO-1", custom={"parent_id": "CO-1"}),
            rules=attrs.evolve(RULES, kinds=[CONTACT, company, DEAL]),
        )

        assert (CO_1,) == done.removed

    def test_this_lead(self) -> None:
        """The pointer that the conversion made is no other."""
        assert [] == self.others(Contact(id="C-3", converted_from=["L-7"]))

    def test_another_conversion_of_this_lead(self) -> None:
        """One in force that holds the record is another."""
        assert [("has_others", "contact", {"id": "C-3", "count": 1, "others": ()})] == self.others(
            Contact(id="C-3", converted_from=["L-7"]), held=[C_3]
        )

    def test_merged_into_it(self) -> None:
        """Through however many merges: it is more than what was made."""
        assert [("has_others", "contact", {"id": "C-3", "count": 2, "others": ()})] == self.others(
            Contact(id="C-3"), merged=[(C_5, C_4), (C_4, C_3)]
        )

    def test_merges_in_a_circle(self) -> None:
        """They say nothing."""
        done = unwound([step("created", C_3)], Contact(id="C-3"), merged=[(C_3, C_4), (C_4, C_3)])

        assert (C_3,) == done.removed

    def test_what_was_removed_before(self) -> None:
        """Whoever goes as well keeps nothing, and whoever stays does."""
        steps = [
            step("created", C_3),
            step("created", D_5, written={"contact_ids": (C_3,), "title": "Engine"}),
        ]
        records = [Contact(id="C-3"), Deal(id="D-5", contact_ids=["C-3"], title="Engine")]
        stays = unwound(steps, records[0], Deal(id="D-5", contact_ids=["C-3"], title="Bigger"))

        assert (D_5, C_3) == unwound(steps, *records).removed
        assert ["changed_since", "has_others"] == [one.code for one in stays.problems]
        assert () == stays.removed

    def test_what_was_let_go_of_before(self) -> None:
        """A child that is shared no longer keeps nothing."""
        done = unwound(
            [
                step("created", D_5),
                step("shared", T_1, attached=[("deal_ids", attrs.evolve(D_5, provisional=True))]),
            ],
            Deal(id="D-5"),
            GenericRecord(kind="task", id="T-1", custom={"deal_ids": ("D-5",)}),
        )

        assert (D_5,) == done.removed


class TestPointersBack:
    def test_held_by_another(self) -> None:
        """The pointer stays while another conversion in force holds the record."""
        old = Contact(id="C-3", comments="x", converted_from=["L-7"])
        done = unwound(
            [step("merged", C_3, {"comments": None}, {"comments": "x"}, BACK)], old, held=[C_3]
        )

        assert (attrs.evolve(old, comments=None),) == done.restored
        assert ((), Update) == (done.released, type(done.changes[0]))

    def test_other_fields_are_no_pointers_back(self) -> None:
        """Only the field that its kind names is."""
        steps = [step("linked", D_5, attached=[("contact_ids", C_3)])]

        assert (D_5,) == unwound(steps, Deal(id="D-5"), held=[D_5]).released

    def test_of_whoever_survived(self) -> None:
        """The pointer has gone over to the survivor, and points at whatever became of the lead."""
        done = unwound([step("linked", C_3, attached=BACK)], merged=[(C_3, C_4), (L_7, L_8)])

        assert (Detach(C_4, "converted_from", [L_8]),) == done.changes

    def test_a_kind_that_is_no_more(self) -> None:
        """The rules have given it up, and no store made for them knows it: it is left alone."""
        invoice = Ref("invoice", "I-1")
        done = unwound([step("linked", invoice, attached=BACK)])

        assert () == done.changes

    def test_what_stays_is_let_go_of(self) -> None:
        """What cannot be removed no longer points at the lead."""
        done = unwound(
            [step("created", D_5, attached=BACK)],
            Deal(id="D-5", title="Engine", converted_from=["L-7"]),
        )

        assert [("changed_since", "deal", {"id": "D-5", "fields": ("title",)})] == told(
            done.problems
        )
        assert (Detach(D_5, "converted_from", [L_7]),) == done.changes


class TestRights:
    def test_what_is_asked(self) -> None:
        """To remove, or to change, and to read; of what is only let go of, nothing."""
        engine = Denying()
        unwound(
            [
                step("linked", C_4, attached=BACK),
                step("merged", C_5),
                step("merged", C_3, {"comments": None}, {"comments": "x"}),
                step("created", D_5),
            ],
            *(Contact(id=id_, comments="x") for id_ in ("C-3", "C-4", "C-5")),
            Deal(id="D-5"),
            authorizer=engine,
        )

        assert [("delete", "D-5"), ("read", "D-5"), ("update", "C-3"), ("read", "C-3")] == (
            engine.asked
        )

    def test_denied(self) -> None:
        """It says of which record, as there may be several of a kind."""
        done = unwound([step("created", D_5)], Deal(id="D-5"), authorizer=Denying(("delete",)))

        assert [("denied", "deal", {"id": "D-5", "actor": "u-7", "action": "delete"})] == told(
            done.problems
        )
        assert {Cause.REVERSAL} == {one.cause for one in done.problems}

    def test_unreadable(self) -> None:
        """It is told like what is gone, whatever else one may do with it."""
        gone = [("gone_since", "deal", {"id": "D-5"})]
        steps, deal = [step("created", D_5)], Deal(id="D-5")

        assert gone == told(unwound(steps).problems)
        assert gone == told(unwound(steps, deal, authorizer=Denying(("read",))).problems)
        assert gone == told(unwound(steps, deal, authorizer=Denying(("read", "delete"))).problems)

    @pytest.mark.parametrize(
        ("there", "actions", "code"),
        [(True, (), "merged_away"), (True, ("read",), "gone_since"), (False, (), "gone_since")],
    )
    def test_the_survivor(self, there: bool, actions: tuple[str, ...], code: str) -> None:
        """It is named only to whoever may read it."""
        records = [Contact(id="C-3"), *([Contact(id="C-4")] if there else [])]
        done = unwound(
            [step("created", C_3)], *records, merged=[(C_3, C_4)], authorizer=Denying(actions)
        )
        facts: dict[str, object] = {"survivor": "C-4"} if code == "merged_away" else {}

        assert [(code, "contact", {"id": "C-3", **facts})] == told(done.problems)
        assert () == done.removed

    @pytest.mark.parametrize("asks", [False, True])
    def test_of_children(self, asks: bool) -> None:
        """Where the rules ask no rights of them, nobody is asked."""
        engine = Denying(("update", "read"))
        done = unwound(
            [step("closed", T_1, {"completed": False}, {"completed": True})],
            GenericRecord(kind="task", id="T-1", custom={"completed": True}),
            rules=attrs.evolve(RULES, children=[ChildRule(TASK, asks=asks)]),
            authorizer=engine,
        )

        assert asks == bool(engine.asked)
        assert (["gone_since"] if asks else []) == [one.code for one in done.problems]

    def test_sensitive_fields_are_asked_about_only_if_changed(self) -> None:
        """As they are named only then."""
        margin = Field("margin", "decimal", sensitive=True)
        kinds = [CONTACT, COMPANY, attrs.evolve(DEAL, custom=[margin])]
        engine = Denying()
        unwound(
            [step("created", D_5)],
            Deal(id="D-5"),
            rules=attrs.evolve(RULES, kinds=kinds),
            authorizer=engine,
        )

        assert [("delete", "D-5"), ("read", "D-5")] == engine.asked
