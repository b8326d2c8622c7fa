"""Following: where everything is now that a lead became."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadconvert import (
    Actor,
    Company,
    Contact,
    Conversion,
    ConversionRules,
    Deal,
    Fate,
    Field,
    Followed,
    GenericRecord,
    Kind,
    Known,
    Lead,
    Link,
    Pending,
    Policy,
    Record,
    Ref,
    Undone,
    Whereabouts,
    convert,
    follow,
    presets,
)
from leadconvert.targets import survivor


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
_BITRIX24: Final = presets.bitrix24()
_INVOICE: Final = Kind(
    "invoice",
    fields=[
        Field("made_of", "reference", to="lead", multiple=True),
        Field("converted_from", "text"),
    ],
    converted_from="made_of",
)
RULES: Final = attrs.evolve(
    _BITRIX24, kinds=[*_BITRIX24.kinds, _INVOICE], policy=Policy.allow_all()
)
FROM: Final = {"converted_from": ["L-7"]}

ONE, TWO, THREE, FOUR = (Ref("contact", f"C-{number}") for number in (1, 2, 3, 4))
DEAL: Final = Ref("deal", "D-5")
LEAD: Final = Ref("lead", "L-7")


def made(*targets: Ref, number: int = 1, **others: Any) -> Conversion:  # noqa: ANN401
    """One conversion of the lead."""
    facts = {"actor_id": "u-7", "rules": "9f2c"} | others
    return Conversion(id=f"L-7.{number}", at=AT, targets=targets, **facts)


def undone(how: str) -> Undone:
    """That a conversion was taken back."""
    return Undone(how=how, at=AT, actor_id="u-7")


def lead(*conversions: Conversion) -> Lead:
    """The lead, with what it remembers."""
    return Lead(id="L-7", stage="CONVERTED", conversions=conversions)


def contact(ref: Ref, *leads: str) -> Contact:
    """A contact that came from these leads."""
    return Contact(id=ref.id, converted_from=leads)


def followed(
    *records: Record,
    merged: Iterable[tuple[Ref, Ref]] = (),
    pending: Iterable[Pending] = (),
    rules: ConversionRules = RULES,
) -> Followed:
    """What is found of lead L-7."""
    return follow("L-7", rules=rules, known=Known(records=records, merged=merged, pending=pending))


def told(found: Followed) -> list[str]:
    """The targets as a table: which, what became of it, where it is now, and whether with it."""
    return [
        f"{one.ref.id} {one.fate.value}"
        + (f" {one.now.id}" if one.now not in {None, one.ref} else "")
        + ("" if one.record is None else f" *{one.record.id}")
        for one in found.targets
    ]


class TestSurvivor:
    @pytest.mark.parametrize(
        ("merged", "expected"),
        [
            ([], ONE),
            ([(ONE, TWO)], TWO),
            ([(TWO, ONE)], ONE),
            ([(TWO, THREE)], ONE),
            ([(ONE, TWO), (TWO, THREE), (THREE, FOUR)], FOUR),
            ([(THREE, FOUR), (TWO, THREE), (ONE, TWO)], FOUR),
            ([(ONE, Ref("company", "C-1"))], Ref("company", "C-1")),
            ([(ONE, TWO), (ONE, THREE)], THREE),
            ([(ONE, ONE)], ONE),
            ([(ONE, TWO), (TWO, TWO)], TWO),
        ],
        ids=[
            "no merges",
            "one merge",
            "the survivor itself",
            "somebody else",
            "a chain",
            "a chain told backwards",
            "another kind",
            "told twice",
            "into itself",
            "a survivor that says so",
        ],
    )
    def test_the_last_one(self, merged: list[tuple[Ref, Ref]], expected: Ref) -> None:
        """It is the last of a chain of merges; of two that are told the last counts."""
        assert expected == survivor(ONE, merged)

    @pytest.mark.parametrize("ref", [ONE, TWO, THREE, FOUR])
    def test_a_circle(self, ref: Ref) -> None:
        """Merges in a circle have no survivor: each is itself, and who leads into it as well."""
        assert ref == survivor(ref, [(ONE, TWO), (TWO, THREE), (THREE, ONE), (FOUR, ONE)])

    @given(
        st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), max_size=8),
        st.sampled_from("abcde"),
    )
    def test_it_ends(self, pairs: list[tuple[str, str]], start: str) -> None:
        """Whatever the pairs are it ends, at itself or at what was not merged into another."""
        merged = [(Ref("contact", gone), Ref("contact", kept)) for gone, kept in pairs]
        ref = Ref("contact", start)
        last = survivor(ref, merged)
        assert last == ref or last.id not in {
            gone for gone, kept in dict(pairs).items() if gone != kept
        }


class TestFate:
    """What became of one target that the lead remembers."""

    def test_there(self) -> None:
        """What was handed over is there, with its record."""
        found = followed(lead(made(ONE, DEAL)), contact(ONE), Deal(id="D-5"))
        assert (
            Whereabouts(ref=ONE, now=ONE, record=contact(ONE)),
            Whereabouts(ref=DEAL, now=DEAL, record=Deal(id="D-5")),
        ) == found.targets
        assert [Fate.THERE, Fate.THERE] == [one.fate for one in found.targets]

    def test_gone(self) -> None:
        """What the lead made and the store does not have is gone."""
        found = followed(lead(made(ONE, DEAL)), contact(ONE))
        assert ["C-1 there *C-1", "D-5 gone"] == told(found)
        assert Whereabouts(ref=DEAL) == found.targets[1]

    def test_merged(self) -> None:
        """What was merged into another is found there."""
        found = followed(lead(made(ONE)), contact(TWO), merged=[(ONE, TWO)])
        assert (Whereabouts(ref=ONE, now=TWO, record=contact(TWO)),) == found.targets
        assert [Fate.MERGED] == [one.fate for one in found.targets]

    def test_a_survivor_that_was_not_handed_over(self) -> None:
        """Its ref is told, to be loaded with."""
        assert ["C-1 merged C-2"] == told(followed(lead(made(ONE)), merged=[(ONE, TWO)]))

    def test_several_merges(self) -> None:
        """Each merge is followed, whether the one between is there or not."""
        merged = [(TWO, THREE), (ONE, TWO), (THREE, FOUR)]
        between = followed(lead(made(ONE)), contact(TWO), contact(FOUR), merged=merged)
        assert ["C-1 merged C-4 *C-4"] == told(between)
        assert ["C-1 merged C-4"] == told(followed(lead(made(ONE)), merged=merged))

    def test_merged_and_handed_over_all_the_same(self) -> None:
        """A store may keep what was merged away; it is merged, not there."""
        found = followed(lead(made(ONE)), contact(ONE), contact(TWO), merged=[(ONE, TWO)])
        assert ["C-1 merged C-2 *C-2"] == told(found)

    def test_merges_in_a_circle(self) -> None:
        """They say nothing, so each is there or gone as if they had not been told."""
        merged = [(ONE, TWO), (TWO, ONE)]
        assert ["C-1 there *C-1", "C-2 gone"] == told(
            followed(lead(made(ONE, TWO)), contact(ONE), merged=merged)
        )

    def test_the_target_of_a_merge_of_another_kind(self) -> None:
        """Ids are unique within a kind: another kind's record of that id is another."""
        assert ["C-1 gone"] == told(followed(lead(made(ONE)), Company(id="C-1")))

    def test_the_repr_shows_no_record(self) -> None:
        """Where a record is may be logged, without what it holds."""
        found = followed(lead(made(ONE)), Contact(id="C-1", last_name="Lovelace"))
        assert "Lovelace" not in repr(found.targets)


class TestConversions:
    """Which targets count, and in which order."""

    def test_several_conversions(self) -> None:
        """All that are in force count, closing or not, and each target once, in their order."""
        one = made(ONE, closing=False)
        two = made(DEAL, ONE, number=2)
        three = made(Ref("deal", "D-6"), ONE, number=3, supplement=True)
        assert ["C-1 gone", "D-5 gone", "D-6 gone"] == told(followed(lead(one, two, three)))

    @pytest.mark.parametrize("how", ["reversed", "reopened"])
    def test_what_was_taken_back(self, how: str) -> None:
        """A conversion that is not in force says nothing of what the lead became."""
        back = lead(made(ONE, DEAL, undone=undone(how)), made(TWO, number=2))
        assert ["C-2 gone"] == told(followed(back, contact(ONE), merged=[(DEAL, TWO)]))

    def test_made_again_after_it_was_taken_back(self) -> None:
        """What another conversion in force holds counts."""
        again = lead(made(ONE, undone=undone("reopened")), made(ONE, number=2))
        assert ["C-1 there *C-1"] == told(followed(again, contact(ONE)))

    def test_linked_and_merged(self) -> None:
        """What had existed is followed like what was made."""
        one = made(ONE, TWO, DEAL, linked=[ONE], merged=[TWO])
        assert ["C-1 gone", "C-2 gone", "D-5 gone"] == told(followed(lead(one)))

    def test_a_result_that_was_not_stored(self) -> None:
        """A store that keeps provisional ids has the record under that id."""
        provisional = Ref("contact", "C-1", provisional=True)
        found = followed(lead(made(provisional)), contact(ONE), merged=[])
        assert (Whereabouts(ref=ONE, now=ONE, record=contact(ONE)),) == found.targets
        assert ["C-1 merged C-2"] == told(followed(lead(made(provisional)), merged=[(ONE, TWO)]))

    def test_another_lead(self) -> None:
        """What other leads became is not asked."""
        other = Lead(id="L-8", stage="CONVERTED", conversions=[made(ONE)])
        assert [] == told(followed(lead(), other, contact(ONE, "L-8")))


class TestPointers:
    """Records that point back at the lead."""

    def test_the_lead_is_gone(self) -> None:
        """Who points back is found without the lead, in the order handed over."""
        found = followed(Deal(id="D-5", **FROM), contact(ONE, "L-3", "L-7"), contact(TWO, "L-77"))
        assert ["D-5 there *D-5", "C-1 there *C-1"] == told(found)

    def test_after_what_the_lead_remembers(self) -> None:
        """The lead's own memory comes first, and each record once."""
        records = [contact(TWO, "L-7"), contact(ONE, "L-7"), Deal(id="D-5", **FROM)]
        found = followed(*records, lead(made(DEAL, ONE)))
        assert ["D-5 there *D-5", "C-1 there *C-1", "C-2 there *C-2"] == told(found)

    def test_what_was_taken_back_and_still_points_back(self) -> None:
        """A pointer is a fact, whatever the lead remembers."""
        back = lead(made(ONE, undone=undone("reopened")))
        assert ["C-1 there *C-1"] == told(followed(back, contact(ONE, "L-7")))

    def test_any_kind_and_any_field(self) -> None:
        """The kind says by which field its records point back."""
        one = GenericRecord(kind="invoice", id="I-1", custom={"made_of": ["L-7"]})
        two = GenericRecord(kind="invoice", id="I-2", custom={"converted_from": "L-7"})
        assert ["I-1 there *I-1"] == told(followed(one, two))

    def test_a_kind_that_the_rules_do_not_have(self) -> None:
        """Of such a record nobody can say whether it points back; nor where such a target is."""
        stranger = GenericRecord(kind="parcel", id="P-1", custom={"converted_from": ["L-7"]})
        assert [] == told(followed(stranger))
        assert ["P-1 gone"] == told(followed(lead(made(Ref("parcel", "P-1"))), stranger))

    def test_merged_away_and_kept(self) -> None:
        """What points back and was merged away is found where it went."""
        found = followed(contact(ONE, "L-7"), contact(TWO), merged=[(ONE, TWO)])
        assert ["C-1 merged C-2 *C-2"] == told(found)

    @pytest.mark.parametrize("turned", [False, True])
    def test_a_survivor_that_took_the_pointer_over(self, *, turned: bool) -> None:
        """A record that stands for another is told once: as the survivor of that one."""
        pair = [contact(ONE, "L-7"), contact(TWO, "L-7")]
        merged = [(ONE, TWO)]
        assert ["C-1 merged C-2 *C-2"] == told(
            followed(*(pair[::-1] if turned else pair), merged=merged)
        )
        assert ["C-1 merged C-2 *C-2"] == told(followed(lead(made(ONE)), pair[1], merged=merged))

    def test_a_survivor_that_the_lead_made_as_well(self) -> None:
        """Each target that the lead remembers is told, wherever others went."""
        records = [lead(made(ONE, TWO)), contact(TWO, "L-7")]
        assert ["C-1 merged C-2 *C-2", "C-2 there *C-2"] == told(
            followed(*records, merged=[(ONE, TWO)])
        )

    def test_a_survivor_of_somebody_else(self) -> None:
        """Who points back and took in records that the lead has nothing to do with is there."""
        found = followed(contact(TWO, "L-7"), merged=[(ONE, TWO)])
        assert ["C-2 there *C-2"] == told(found)


class TestLead:
    """What became of the lead itself."""

    @pytest.mark.parametrize(
        ("records", "merged", "expected"),
        [
            ([lead()], [], Whereabouts(ref=LEAD, now=LEAD, record=lead())),
            ([contact(ONE, "L-7")], [], Whereabouts(ref=LEAD)),
            ([Deal(id="L-7")], [], Whereabouts(ref=LEAD)),
            (
                [],
                [(LEAD, Ref("lead", "L-8"))],
                Whereabouts(ref=LEAD, now=Ref("lead", "L-8")),
            ),
            (
                [Lead(id="L-8", stage="NEW", conversions=[made(ONE)])],
                [(LEAD, Ref("lead", "L-8"))],
                Whereabouts(
                    ref=LEAD,
                    now=Ref("lead", "L-8"),
                    record=Lead(id="L-8", stage="NEW", conversions=[made(ONE)]),
                ),
            ),
        ],
        ids=["there", "gone", "another kind", "merged", "merged and handed over"],
    )
    def test_each_fate(
        self, records: list[Record], merged: list[tuple[Ref, Ref]], expected: Whereabouts
    ) -> None:
        """It is there, merged into another, or gone, like what it became."""
        assert expected == followed(*records, merged=merged).lead

    def test_what_the_survivor_became_is_its_own(self) -> None:
        """Of a lead that was merged away only its own past is told."""
        other = Lead(id="L-8", stage="CONVERTED", conversions=[made(ONE)])
        merged = [(LEAD, Ref("lead", "L-8"))]
        assert [] == told(followed(other, merged=merged))
        assert ["D-5 gone"] == told(followed(other, lead(made(DEAL)), merged=merged))

    def test_nothing_is_known(self) -> None:
        """Of nothing nothing is found."""
        assert Followed(lead=Whereabouts(ref=LEAD), targets=()) == followed()

    @pytest.mark.parametrize(
        ("given", "told"), [(lead(), "a Lead"), (LEAD, "a Ref"), (7, "an int"), (None, "None")]
    )
    def test_no_id(self, given: object, told: str) -> None:
        """The lead itself in place of its id would be found nowhere."""
        loose: Callable[..., object] = follow
        with pytest.raises(TypeError, match=rf"^follow\(\) takes the id of a lead, not {told}$"):
            loose(given, rules=RULES, known=Known())


class TestRecords:
    def test_each_once(self) -> None:
        """Two that were merged into one are one record, and what is gone is none."""
        found = followed(
            lead(made(ONE, TWO, DEAL, FOUR)), contact(THREE), Deal(id="D-5"),
            merged=[(ONE, THREE), (TWO, THREE)],
        )  # fmt: skip
        assert (contact(THREE), Deal(id="D-5")) == found.records

    def test_equal_ids_of_two_kinds(self) -> None:
        """A contact and a company of one id are two records."""
        records = (contact(ONE, "L-7"), Company(id="C-1", **FROM))
        assert records == followed(*records).records

    def test_pending_records_play_no_part(self) -> None:
        """What no store has is neither found nor a survivor."""
        pending = [Pending(contact(ONE, "L-7"), "k-1"), Pending(contact(TWO), "k-1")]
        assert [] == told(followed(pending=pending))
        found = followed(lead(made(ONE, THREE)), merged=[(THREE, TWO)], pending=pending)
        assert ["C-1 gone", "C-3 merged C-2"] == told(found)
        assert () == found.records


class TestAfterConverting:
    """What the library itself writes is found again."""

    def test_a_life(self) -> None:
        """Made, merged, deleted: each step tells what is there by then."""
        new = Lead(id="L-7", stage="NEW", title="Enquiry", last_name="Hopper")
        company = Company(id="CO-9", name="Compilers")
        done = convert(
            new, [Link("company", "CO-9"), "contact", "deal"],
            rules=RULES, actor=Actor("u-7"), at=AT, known=Known(records=[company]),
        )  # fmt: skip
        after = [done.company, done.contact, done.deal]
        man, deal = done.contact.id, done.deal.id
        everything = [f"{one.id} there *{one.id}" for one in after]
        assert everything == told(followed(done.lead, *after))
        assert everything == told(followed(*after))
        assert ["CO-9 there *CO-9", f"{man} merged C-2 *C-2", f"{deal} gone"] == told(
            followed(done.lead, done.company, contact(TWO), merged=[(Ref("contact", man), TWO)])
        )


# -- whatever is known ----------------------------------------------------------------------------

_IDS: Final = [f"C-{number}" for number in range(5)]
_REFS: Final = st.builds(Ref, st.sampled_from(["contact", "lead"]), st.sampled_from(_IDS))
_MADE: Final = st.builds(
    made,
    st.builds(Ref, st.just("contact"), st.sampled_from(_IDS), st.booleans()),
    _REFS,
    undone=st.none() | st.just(undone("reopened")),
)
_KNOWN: Final = st.fixed_dictionaries(
    {
        "records": st.lists(
            st.builds(
                lambda id, leads: Contact(id=id, converted_from=leads),  # noqa: A006
                st.sampled_from(_IDS),
                st.lists(st.sampled_from(["L-7", "L-8"]), max_size=2),
            )
            | st.builds(lead, _MADE, _MADE)
            | st.builds(lambda id: GenericRecord(kind="parcel", id=id), st.sampled_from(_IDS)),  # noqa: A006
            max_size=6,
        ),
        "merged": st.lists(st.tuples(_REFS, _REFS), max_size=6),
    }
)


class TestLaws:
    @given(given_=_KNOWN)
    def test_whatever_is_known(self, given_: Mapping[str, Any]) -> None:
        """It never raises; each target is told once, each is what it says, none is left out."""
        known = Known(**given_)
        found = follow("L-7", rules=RULES, known=known)
        refs = [one.ref for one in found.targets]
        assert len(set(refs)) == len(refs)
        handed = {Ref("contact", one.id): one for one in known.records if isinstance(one, Contact)}
        for one in found.targets:
            match one.fate:
                case Fate.THERE:
                    assert one.now == one.ref
                    assert one.record is not None
                case Fate.MERGED:
                    assert one.now == survivor(one.ref, known.merged) != one.ref
                case Fate.GONE:
                    assert (None, None) == (one.now, one.record)
                    assert one.ref not in handed
        reached = {*refs, *(one.now for one in found.targets)}
        pointing = {ref for ref, one in handed.items() if "L-7" in one.converted_from}
        leads = [one for one in known.records if isinstance(one, Lead)]
        remembered = {
            ref.stored
            for one in leads[-1:]
            for entry in one.conversions
            if entry.in_force
            for ref in entry.targets
        }
        assert pointing | remembered <= reached
        assert remembered <= set(refs) <= pointing | remembered
