"""Merging into what exists: tables by hand, for the function alone and through a whole conversion.

Each table is about one type of field: rows say who has what, columns by which rule it is merged.
The cells are thought through from what the words mean, not printed by the code:

    none     neither has anything, so nothing happens
    there    the record stays as it is, and has all that the lead has
    old      the record stays as it is, and the lead's value is told as unmerged
    new      the lead's value is taken
    both     the record's values, then those of the lead that it lacks
    own      what the merger of one's own makes of the two
    .        the rule does not fit such a field, and rules with it cannot be built
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

import attrs
import pytest

from leadconvert import (
    Actor,
    Address,
    Attach,
    Channel,
    Company,
    Conflict,
    Contact,
    ConversionResult,
    ConversionRules,
    Create,
    Deal,
    Field,
    FieldMapping,
    GenericRecord,
    Grant,
    Kind,
    Known,
    Lead,
    Merge,
    Outcome,
    Pipeline,
    Plan,
    Policy,
    Product,
    Record,
    Ref,
    Role,
    Row,
    Stage,
    Update,
    convert,
    errors,
    plan,
)
from leadconvert.fields import FieldType
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD
from leadconvert.merging import CONFLICTS, Merged, Merger, merged, misfit
from leadconvert.values import is_empty


AT = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
LATER = datetime(2027, 1, 31, 13, 0, tzinfo=UTC)
CET = timezone(timedelta(hours=1))
ADMIN = Actor("u-1", roles=["admin"])
LEADS = Pipeline("leads", "lead", ["new", Stage("done", "success")])
SALES = Pipeline("sales", "deal", ["open", "late", Stage("won", "success")])
BACK = Field("converted_from", "reference", to="lead", multiple=True)


# -- mergers of one's own -------------------------------------------------------------------------


def slashed(old: object, new: object) -> object:
    """Both texts, with a slash between."""
    return f"{old} / {new}"


def added(old: object, new: object) -> object:
    """The sum of two numbers."""
    assert isinstance(old, int | Decimal)
    assert isinstance(new, int | Decimal)
    return old + new


def either(old: object, new: object) -> object:
    """Whether one of two is true."""
    return bool(old or new)


def later(old: object, new: object) -> object:
    """The later of two days or moments."""
    assert isinstance(old, date)
    assert isinstance(new, date)
    return max(old, new)


def swapped(old: object, new: object) -> object:
    """The lead's values, then the record's."""
    assert isinstance(old, tuple)
    assert isinstance(new, tuple)
    return [*new, *old]


def lead_s(old: object, new: object) -> object:
    """The lead's value."""
    del old
    return new


def record_s(old: object, new: object) -> object:
    """The record's value."""
    del new
    return old


def nothing(old: object, new: object) -> object:
    """No value at all, as a function returns that forgets to."""
    del old, new
    return None


def blank(old: object, new: object) -> object:
    """A value that says nothing."""
    del old, new
    return "  "


def wrong(old: object, new: object) -> object:
    """What fits neither a text nor a number."""
    del old, new
    return AT


def fail(old: object, new: object) -> object:
    """No value, as the two cannot be merged."""
    raise ZeroDivisionError(old, new)


MERGERS: Final[Mapping[str, Merger]] = {
    one.__name__: one
    for one in (
        slashed,
        added,
        either,
        later,
        swapped,
        lead_s,
        record_s,
        nothing,
        blank,
        wrong,
        fail,
    )
}


# -- the tables -----------------------------------------------------------------------------------


@attrs.frozen(kw_only=True)
class Sort:
    """A type of field: what a record and a lead may hold in it, and its table."""

    field: Field
    old: object
    new: object
    #: The record's value, as a lead may write it as well.
    again: object = None
    empty: tuple[object, ...] = (None,)
    merger: str
    #: What appending and the merger make of the record's and the lead's value, and of `again`.
    both: object = None
    own: object = None
    own_again: object = None
    table: str


_ONE = """
                    | fill  keep  take  append longest newer older merger
both empty          | none  none  none  .      .       none  none  none
record only         | there there there .      .       there there there
lead only           | new   old   new   .      .       new   new   new
equal               | there there there .      .       there there there
different           | old   old   new   .      .       new   old   own
"""
_ONE_AGAIN = f"""{_ONE}
written differently | there there there .      .       there there there
"""
_CHANNEL = f"""{_ONE}
written differently | there there new   .      .       new   there own
"""
_SEVERAL = """
                    | fill  keep  take  append longest newer older merger
both empty          | none  none  none  none   .       none  none  none
record only         | there there there there  .       there there there
lead only           | new   old   new   new    .       new   new   new
equal               | there there there there  .       there there there
different           | old   old   new   both   .       new   old   own
"""
_SEVERAL_AGAIN = f"""{_SEVERAL}
written differently | there there new   there  .       new   there own
"""

HEAT: Final = ["cold", "warm", "hot"]
A, B, C = "ada@example.com", "ada@example.org", "lovelace@example.com"
ENGINE = Product(name="Engine", price=Decimal(5000))
CARDS = Product(name="Punched cards", price=Decimal("0.05"), quantity=1000)
LONDON, PARIS = Address(city="London"), Address(city="Paris")

SORTS: Final[Mapping[str, Sort]] = {
    "text": Sort(
        field=Field("f", "text"),
        old="Engine",
        new="Steam engine",
        again="  ENGINE ",
        empty=(None, "", " \n"),
        merger="slashed",
        own="Engine / Steam engine",
        own_again="Engine /   ENGINE ",
        table="""
                            | fill  keep  take  append longest newer older merger
        both empty          | none  none  none  .      none    none  none  none
        record only         | there there there .      there   there there there
        lead only           | new   old   new   .      new     new   new   new
        equal               | there there there .      there   there there there
        different           | old   old   new   .      new     new   old   own
        written differently | there there new   .      there   new   there own
        """,
    ),
    "shorter text": Sort(
        field=Field("f", "text"),
        old="Steam engine",
        new="Engine",
        again="STEAM    ENGINE   ",
        empty=(None,),
        merger="record_s",
        own_again="Steam engine",
        table="""
                            | fill  keep  take  append longest newer older merger
        different           | old   old   new   .      old     new   old   old
        written differently | there there new   .      there   new   there there
        """,
    ),
    "integer": Sort(field=Field("f", "integer"), old=5, new=7, merger="added", own=12, table=_ONE),
    "integer zero": Sort(
        field=Field("f", "integer"), old=0, new=7, merger="added", own=7, table=_ONE
    ),
    "integer to zero": Sort(
        field=Field("f", "integer"),
        old=7,
        new=0,
        merger="added",
        table="""
                            | fill  keep  take  append longest newer older merger
        lead only           | new   old   new   .      .       new   new   new
        different           | old   old   new   .      .       new   old   old
        """,
    ),
    "decimal": Sort(
        field=Field("f", "decimal"),
        old=Decimal("5.00"),
        new=Decimal("7.5"),
        again=Decimal(5),
        merger="added",
        own=Decimal("12.5"),
        own_again=None,
        table=_ONE_AGAIN,
    ),
    "money": Sort(
        field=Field("f", "money"),
        old=Decimal("0.00"),
        new=Decimal(100),
        again=Decimal(0),
        merger="added",
        own=Decimal(100),
        table=_ONE_AGAIN,
    ),
    "boolean false": Sort(
        field=Field("f", "boolean"), old=False, new=True, merger="either", own=True, table=_ONE
    ),
    "boolean true": Sort(
        field=Field("f", "boolean"),
        old=True,
        new=False,
        merger="either",
        table="""
                            | fill  keep  take  append longest newer older merger
        both empty          | none  none  none  .      .       none  none  none
        record only         | there there there .      .       there there there
        lead only           | new   old   new   .      .       new   new   new
        equal               | there there there .      .       there there there
        different           | old   old   new   .      .       new   old   old
        """,
    ),
    "date": Sort(
        field=Field("f", "date"),
        old=date(2027, 1, 31),
        new=date(2027, 2, 28),
        merger="later",
        own=date(2027, 2, 28),
        table=_ONE,
    ),
    "datetime": Sort(
        field=Field("f", "datetime"),
        old=AT,
        new=LATER,
        again=AT.astimezone(CET),
        merger="later",
        own=LATER,
        table=_ONE_AGAIN,
    ),
    "enumeration": Sort(
        field=Field("f", "enumeration", options=HEAT),
        old="cold",
        new="hot",
        empty=(None, ""),
        merger="lead_s",
        own="hot",
        table=_ONE,
    ),
    "several enumerations": Sort(
        field=Field("f", "enumeration", options=HEAT, multiple=True),
        old=("cold", "warm"),
        new=("warm", "hot"),
        empty=((), ("",)),
        merger="lead_s",
        both=("cold", "warm", "hot"),
        own=("warm", "hot"),
        table=_SEVERAL,
    ),
    "e-mail": Sort(
        field=Field("f", "email"),
        old=Channel(A, "work"),
        new=Channel(B),
        again=Channel(f" {A.upper()}", "home"),
        empty=(None, Channel(""), Channel("  ", "work")),
        merger="lead_s",
        own=Channel(B),
        own_again=Channel(f" {A.upper()}", "home"),
        table=_CHANNEL,
    ),
    "phone": Sort(
        field=Field("f", "phone"),
        old=Channel("+49 (30) 12-34-56"),
        new=Channel("+49 30 654321"),
        again=Channel("0049 30/123456", "work"),
        empty=(None, Channel("")),
        merger="lead_s",
        own=Channel("+49 30 654321"),
        own_again=Channel("0049 30/123456", "work"),
        table=_CHANNEL,
    ),
    "e-mails": Sort(
        field=Field("f", "email", multiple=True),
        old=(Channel(A, "work"), Channel(B)),
        new=(Channel(B.upper(), "home"), Channel(C)),
        again=(Channel(f"{B.upper()} "),),
        empty=((), (Channel(""),), (Channel(" "), Channel(""))),
        merger="swapped",
        both=(Channel(A, "work"), Channel(B), Channel(C)),
        own=(Channel(B.upper(), "home"), Channel(C), Channel(A, "work"), Channel(B)),
        own_again=(Channel(f"{B.upper()} "), Channel(A, "work"), Channel(B)),
        table=_SEVERAL_AGAIN,
    ),
    "phones": Sort(
        field=Field("f", "phone", multiple=True),
        old=(Channel("+49 (30) 12-34-56", "work"),),
        new=(Channel("004930123456"), Channel("+49 30 123456 ext. 7"), Channel("030 123456")),
        again=(Channel("0049 30/123456"), Channel("+49.30.123456")),
        empty=((), (Channel(""),)),
        merger="lead_s",
        both=(
            Channel("+49 (30) 12-34-56", "work"),
            Channel("+49 30 123456 ext. 7"),
            Channel("030 123456"),
        ),
        own=(Channel("004930123456"), Channel("+49 30 123456 ext. 7"), Channel("030 123456")),
        own_again=(Channel("0049 30/123456"), Channel("+49.30.123456")),
        table=_SEVERAL_AGAIN,
    ),
    "websites": Sort(
        field=Field("f", "url", multiple=True),
        old=(Channel("https://example.com/Ada"),),
        new=(Channel("https://example.com/ada"), Channel("https://example.com/Ada")),
        again=(Channel("https://example.com/Ada", "work"),),
        empty=((), (Channel(""),)),
        merger="lead_s",
        both=(Channel("https://example.com/Ada"), Channel("https://example.com/ada")),
        own=(Channel("https://example.com/ada"), Channel("https://example.com/Ada")),
        own_again=(Channel("https://example.com/Ada", "work"),),
        table=_SEVERAL_AGAIN,
    ),
    "messengers": Sort(
        field=Field("f", "messenger", multiple=True),
        old=(Channel("@ada:Example.org"),),
        new=(Channel("@ada:example.org"),),
        again=(Channel("@ada:Example.org", "matrix"),),
        empty=((), (Channel(""),)),
        merger="lead_s",
        both=(Channel("@ada:Example.org"), Channel("@ada:example.org")),
        own=(Channel("@ada:example.org"),),
        own_again=(Channel("@ada:Example.org", "matrix"),),
        table=_SEVERAL_AGAIN,
    ),
    "tags": Sort(
        field=Field("f", "text", multiple=True),
        old=("new", "Big Deal"),
        new=("big  deal", "urgent", "Urgent "),
        again=(" NEW",),
        empty=((), ("",), (" ", "")),
        merger="swapped",
        both=("new", "Big Deal", "urgent"),
        own=("big  deal", "urgent", "Urgent ", "new", "Big Deal"),
        own_again=(" NEW", "new", "Big Deal"),
        table="""
                            | fill  keep  take  append longest newer older merger
        both empty          | none  none  none  none   .       none  none  none
        record only         | there there there there  .       there there there
        equal               | there there there there  .       there there there
        different           | old   old   new   both   .       new   old   own
        written differently | there there new   there  .       new   there own
        """,
    ),
    "address": Sort(
        field=Field("f", "address"),
        old=LONDON,
        new=PARIS,
        empty=(None, Address(), Address(city=" ", street="")),
        merger="lead_s",
        own=PARIS,
        table=_ONE,
    ),
    "products": Sort(
        field=Field("f", "product", multiple=True),
        old=(ENGINE,),
        new=(CARDS,),
        again=(Product(name="Engine", price=Decimal("5000.00")),),
        empty=((),),
        merger="swapped",
        both=(ENGINE, CARDS),
        own=(CARDS, ENGINE),
        table=f"""{_SEVERAL}
written differently | there there there there  .       there there there
""",
    ),
    "file": Sort(
        field=Field("f", "file"),
        old="F-a",
        new="F-A",
        empty=(None, " "),
        merger="lead_s",
        own="F-A",
        table=_ONE,
    ),
    "reference": Sort(
        field=Field("f", "reference", to="partner"),
        old="P-a",
        new="P-A",
        empty=(None, ""),
        merger="lead_s",
        own="P-A",
        table=_ONE,
    ),
    "references": Sort(
        field=Field("f", "reference", to="partner", multiple=True),
        old=("P-a", "P-b"),
        new=("P-A", "P-b"),
        empty=((), ("",)),
        merger="lead_s",
        both=("P-a", "P-b", "P-A"),
        own=("P-A", "P-b"),
        table=_SEVERAL,
    ),
}


@attrs.frozen
class Cell:
    """One cell of a table: by which rule what is merged into what, and what becomes of it."""

    sort: Sort
    by: str
    lead_is_newer: bool
    old: object
    new: object
    value: object
    outcome: str


def _pairs(sort: Sort, row: str) -> list[tuple[object, object]]:
    """What the record and the lead have in a row of a table: several pairs for several blanks."""
    return {
        "both empty": [(old, new) for old in sort.empty for new in sort.empty],
        "record only": [(sort.old, new) for new in sort.empty],
        "lead only": [(old, sort.new) for old in sort.empty],
        "equal": [(sort.old, sort.old)],
        "different": [(sort.old, sort.new)],
        "written differently": [(sort.old, sort.again)],
    }[row]


def _cells() -> Iterator[object]:
    for name, sort in SORTS.items():
        heads, *rows = (line.split("|") for line in sort.table.splitlines() if line.strip())
        columns = heads[1].split()
        for head, words in rows:
            row = head.strip()
            for column, word in zip(columns, words.split(), strict=True):
                if word == ".":
                    continue
                cells = [_cell(sort, row, column, word, pair) for pair in _pairs(sort, row)]
                yield pytest.param(cells, id=f"{name}, {row}, {column}")


def _cell(sort: Sort, row: str, column: str, word: str, pair: tuple[object, object]) -> Cell:
    old, new = pair
    own = sort.own_again if row == "written differently" else sort.own
    value, outcome = {
        "none": (old, "already_there"),
        "there": (old, "already_there"),
        "old": (old, "unmerged"),
        "new": (new, "carried"),
        "both": (sort.both, "carried"),
        "own": (own, "carried"),
    }[word]
    by = {"merger": sort.merger, "newer": "newest", "older": "newest"}.get(column, column)
    return Cell(sort, by, column != "older", old, new, value, outcome)


CELLS: Final = list(_cells())


class TestMerged:
    @pytest.mark.parametrize("cells", CELLS)
    def test_table(self, cells: list[Cell]) -> None:
        """Each cell of the tables is what the function says, whatever blanks are merged."""
        for cell in cells:
            found = merged(
                cell.sort.field,
                cell.old,
                cell.new,
                by=cell.by,
                mergers=MERGERS,
                is_newer=cell.lead_is_newer,
            )
            assert Merged(cell.value, cell.outcome) == found

    @pytest.mark.parametrize("type_", list(FieldType))
    def test_the_tables_are_whole(self, type_: FieldType) -> None:
        """Every type of field has a table in which each emptiness stands, by each rule."""
        columns, emptiness = set[str](), set[str]()
        for sort in SORTS.values():
            if sort.field.type is type_:
                heads, *rows = (line.split("|") for line in sort.table.splitlines() if line.strip())
                columns.add(" ".join(heads[1].split()))
                emptiness |= {head.strip() for head, _ in rows}

        assert {"fill keep take append longest newer older merger"} == columns
        assert {"both empty", "record only", "lead only", "equal", "different"} <= emptiness

    def test_appended_once(self) -> None:
        """What a lead has twice is appended once, also to nothing."""
        tags = Field("tags", "text", multiple=True)
        for old in (None, (), ("",)):
            found = merged(tags, old, ("a", "A ", "b"), by="append", mergers={}, is_newer=False)
            assert Merged(("a", "b"), "carried") == found

    def test_a_record_without_a_list(self) -> None:
        """A record that holds one value where several may be is appended to as well."""
        tags = Field("tags", "text", multiple=True)
        found = merged(tags, "a", ("A", "b"), by="append", mergers={}, is_newer=False)
        assert Merged(("a", "b"), "carried") == found
        found = merged(tags, "a", ("A",), by="append", mergers={}, is_newer=False)
        assert Merged("a", "already_there") == found

    @pytest.mark.parametrize(
        ("type_", "old", "new"),
        [
            ("text", "C++", "C#"),
            ("text", "0012", "+12"),
            ("email", "a.b@example.com", "ab@example.com"),
            ("phone", "+49 30 123456", "030 123456"),
            ("phone", "0030 123456", "30 123456"),
        ],
    )
    def test_what_only_looks_alike(self, type_: str, old: str, new: str) -> None:
        """Signs count in a text and in an address, a plus in a number: both are kept."""
        field = Field("f", type_, multiple=True)
        both = field.accept([old, new])
        assert isinstance(both, tuple)
        found = merged(field, both[:1], both[1:], by="append", mergers={}, is_newer=False)
        assert Merged(both, "carried") == found

    def test_the_longest_without_its_blanks(self) -> None:
        """What counts is how much a text says: blanks in a row are one, and words are no longer."""
        comments = Field("comments", "text")
        for old, new, longest in (
            ("abcd", "a     b", "abcd"),
            ("abcd", "a b", "abcd"),
            ("abc", "a b c", "a b c"),
            ("abc", "xyz", "abc"),
        ):
            found = merged(comments, old, new, by="longest", mergers={}, is_newer=True)
            assert longest == found.value

    def test_a_phone_without_digits(self) -> None:
        """Two notes in place of numbers are not one and the same."""
        phones = Field("phones", "phone", multiple=True)
        old, new = (Channel("(?)"),), (Channel("(!)"),)
        found = merged(phones, old, new, by="append", mergers={}, is_newer=False)
        assert Merged((*old, *new), "carried") == found

    @pytest.mark.parametrize("merger", ["nothing", "blank"])
    def test_a_merger_that_makes_nothing(self, merger: str) -> None:
        """What a merger leaves empty stays as the record has it: nothing is erased by accident."""
        found = merged(
            Field("title", "text"), "old", "new", by=merger, mergers=MERGERS, is_newer=True
        )
        assert Merged("old", "unmerged") == found

    def test_a_merger_makes_what_fits(self) -> None:
        """What a merger returns is brought into form, as any value is."""
        found = merged(
            Field("amount", "money"),
            Decimal(5),
            Decimal(7),
            by="seven",
            mergers={"seven": seven},
            is_newer=False,
        )
        assert Merged(Decimal(7), "carried") == found
        assert isinstance(found.value, Decimal)

    def test_a_merger_that_raises(self) -> None:
        """What a merger raises is raised, and a misfit is one."""
        with pytest.raises(ZeroDivisionError):
            merged(Field("t", "text"), "a", "b", by="fail", mergers=MERGERS, is_newer=False)
        with pytest.raises(ValueError, match="wrong_type"):
            merged(Field("t", "text"), "a", "b", by="wrong", mergers=MERGERS, is_newer=False)

    def test_a_merger_is_not_asked_in_vain(self) -> None:
        """A merger is asked only where both have something, and not the same."""
        title = Field("title", "text")
        for old, new in (("a", "a"), ("a", None), (None, "a"), (None, None), (" ", "a")):
            merged(title, old, new, by="fail", mergers=MERGERS, is_newer=False)


def seven(old: object, new: object) -> object:
    """Seven, whatever it was."""
    del old, new
    return 7


class TestMisfit:
    @pytest.mark.parametrize("name", SORTS)
    def test_table(self, name: str) -> None:
        """The dots of the tables are the rules that do not fit, and only those."""
        sort = SORTS[name]
        heads, *rows = (line.split("|") for line in sort.table.splitlines() if line.strip())
        for head, words in rows:
            del head
            for column, word in zip(heads[1].split(), words.split(), strict=True):
                by = {"newer": "newest", "older": "newest"}.get(column, column)
                assert (word == ".") == (misfit(sort.field, by) is not None)

    def test_why(self) -> None:
        """It says what is wrong."""
        assert "it holds one value" == misfit(Field("t", "text"), "append")
        assert "it is no single text" == misfit(Field("t", "text", multiple=True), "longest")
        assert "it is no single text" == misfit(Field("t", "url"), "longest")
        assert misfit(Field("t", "text", multiple=True), "append") is None


# -- through a whole conversion -------------------------------------------------------------------


def thing_rules(sort: Sort, by: str) -> ConversionRules:
    """Rules under which a custom field of the lead goes into a kind of fields alone."""
    own = attrs.evolve(sort.field, id="UF_F")
    thing = Kind("thing", fields=[sort.field, Field("updated_at", "datetime"), BACK])
    return ConversionRules(
        lead=attrs.evolve(LEAD, custom=[own]),
        kinds=[Kind("partner", fields=[BACK]), thing],
        pipelines=[LEADS],
        mappings=[FieldMapping("UF_F", "thing", "f", conflict=by)],
        mergers=MERGERS,
        policy=Policy.allow_all(),
    )


PARTNERS = [GenericRecord(kind="partner", id=one) for one in ("P-a", "P-b", "P-A")]


class TestThroughConvert:
    @pytest.mark.parametrize("cells", CELLS)
    def test_table(self, cells: list[Cell]) -> None:
        """Each cell is what a conversion does: to the record, to the store, and as it tells it."""
        by = thing_rules(cells[0].sort, cells[0].by)
        for cell in cells:
            self.check(cell, by)

    @staticmethod
    def check(cell: Cell, by: ConversionRules) -> None:
        """Convert what stands in a cell, and look at all that is said of it."""
        sooner, after = (AT, LATER) if cell.lead_is_newer else (LATER, AT)
        lead = Lead(id="L-7", stage="new", updated_at=after, custom={"UF_F": cell.new})
        thing = GenericRecord(
            kind="thing", id="T-1", revision="3", custom={"f": cell.old, "updated_at": sooner}
        )
        result = convert(
            lead,
            [Merge("thing", "T-1")],
            rules=by,
            actor=ADMIN,
            at=AT,
            known=Known(records=[thing, *PARTNERS]),
        )

        [outcome] = result.outcomes
        changes = cell.outcome == "carried"
        assert "T-1" == outcome.record.id
        assert cell.value == outcome.record.custom["f"]
        assert ("merged" if changes else "unchanged") == outcome.action
        assert ({"f": cell.old} if changes else {}) == outcome.before
        written = [one for one in result.changes.changes if isinstance(one, Update)][:-1]
        assert ["3"] * changes == [one.revision for one in written]
        told = [str(row.outcome) for row in result.rows if row.target == "thing 1.f"]
        assert ([] if is_empty(cell.new) else [cell.outcome]) == told
        unmerged = [row.field for row in result.unmerged]
        assert (["UF_F"] if cell.outcome == "unmerged" else []) == unmerged
        assert not [row for row in result.dropped if row.field == "UF_F"]


def rules(
    *mappings: FieldMapping,
    kinds: tuple[Kind, ...] = (CONTACT, COMPANY, DEAL),
    lead: Kind = LEAD,
    policy: Policy | None = None,
) -> ConversionRules:
    """Rules with these mappings, and everything allowed."""
    return ConversionRules(
        lead=lead,
        kinds=kinds,
        pipelines=[LEADS, SALES],
        mappings=mappings,
        mergers=MERGERS,
        policy=policy or Policy.allow_all(),
    )


def merge(
    lead: Lead, into: Merge, by: ConversionRules, *records: Record, actor: Actor = ADMIN
) -> Plan:
    """The plan of merging a lead into one record."""
    known = Known(records=records)
    return plan(lead, [into], rules=by, actor=actor, at=AT, known=known)


def told(p: Plan, field: str) -> list[tuple[str | None, str]]:
    """What became of one of the lead's fields."""
    return [(row.target, str(row.outcome)) for row in p.rows if row.field == field]


TITLE = FieldMapping("title", "deal")
ENGINE_LEAD = Lead(id="L-7", stage="new", title="Engine")


class TestWhatIsWritten:
    def test_before_and_after(self) -> None:
        """The result has the record as it was and will be; the store is told what changes."""
        by = rules(
            FieldMapping("first_name", "contact"),
            FieldMapping("last_name", "contact"),
            FieldMapping("emails", "contact", conflict="append"),
            FieldMapping("job_title", "contact", conflict="take"),
        )
        lead = Lead(
            id="L-7",
            stage="new",
            first_name="Augusta",
            last_name="Lovelace",
            job_title="Countess",
            emails=[Channel(B)],
        )
        ada = Contact(
            id="C-3",
            revision="7",
            first_name="Ada",
            job_title="Analyst",
            emails=[Channel(A)],
            comments="knows numbers",
            converted_from=["L-1"],
        )
        result = merge(lead, Merge("contact", "C-3"), by, ada).result()

        assert (
            attrs.evolve(
                ada,
                last_name="Lovelace",
                job_title="Countess",
                emails=[Channel(A), Channel(B)],
                converted_from=["L-1", "L-7"],
            )
            == result.contact
        )
        [outcome] = result.outcomes
        assert "merged" == outcome.action
        assert {
            "last_name": None,
            "job_title": "Analyst",
            "emails": (Channel(A),),
        } == outcome.before
        update, attach, _ = result.changes.changes
        assert (
            Update(
                Ref("contact", "C-3"),
                "7",
                {
                    "last_name": "Lovelace",
                    "job_title": "Countess",
                    "emails": (Channel(A), Channel(B)),
                },
            )
            == update
        )
        assert Attach(Ref("contact", "C-3"), "converted_from", [Ref("lead", "L-7")]) == attach
        assert ["record.merged", "lead.converted"] == [one.name for one in result.changes.events]
        assert [
            Row("first_name", "contact 1.first_name", "unmerged", str(by.mappings[0]), None)
        ] == [*result.unmerged]

    def test_nothing_new(self) -> None:
        """Where the record has everything it only remembers the lead."""
        deal = Deal(id="D-5", revision="7", title="Engine", stage="open", pipeline="sales")
        result = merge(ENGINE_LEAD, Merge("deal", "D-5"), rules(TITLE), deal).result()
        assert "unchanged" == result.outcomes[0].action
        assert attrs.evolve(deal, converted_from=["L-7"]) == result.deal
        attach, lead = result.changes.changes
        assert (Attach, "lead") == (type(attach), lead.ref.kind)

    def test_remembered_once(self) -> None:
        """A record that remembers the lead already is not told again."""
        deal = Deal(id="D-5", title="Engine", converted_from=["L-7"])
        result = merge(ENGINE_LEAD, Merge("deal", "D-5"), rules(TITLE), deal).result()
        assert ("L-7",) == result.deal.converted_from
        assert ["lead"] == [one.ref.kind for one in result.changes.changes]

    def test_what_is_supplied_is_taken(self) -> None:
        """A value given with the target wins over the record and over the lead."""
        deal = Deal(id="D-5", title="Old", comments="old")
        into = Merge("deal", "D-5", values={"title": "Given", "comments": None})
        p = merge(ENGINE_LEAD, into, rules(TITLE), deal)
        assert ("Given", None) == (p.result().deal.title, p.result().deal.comments)
        assert {"title": "Old", "comments": "old"} == p.result().outcomes[0].before
        assert [("deal 1.title", "overridden")] == told(p, "title")

    def test_what_is_supplied_and_there(self) -> None:
        """A value given that stands there already changes nothing."""
        deal = Deal(id="D-5", title="Given")
        into = Merge("deal", "D-5", values={"title": "Given"})
        result = merge(ENGINE_LEAD, into, rules(TITLE), deal).result()
        assert "unchanged" == result.outcomes[0].action

    def test_a_default_is_for_new_records(self) -> None:
        """What fills a field that nothing else fills does not fill the gaps of what exists."""
        deal = attrs.evolve(
            DEAL, custom=[Field("UF_SEEN", "boolean", default=False), Field("UF_N", "text")]
        )
        record = Deal(id="D-5", title="Engine")
        result = merge(ENGINE_LEAD, Merge("deal", "D-5"), rules(TITLE, kinds=(deal,)), record)
        assert {} == dict(result.result().deal.custom)

    def test_a_constant(self) -> None:
        """A constant fills what is empty, and is not told where it was not taken."""
        by = rules(FieldMapping.fixed("deal", "type", "SALE"))
        for before, after, rows in (
            (None, "SALE", [("deal 1.type", "constant")]),
            ("GOODS", "GOODS", []),
        ):
            deal = Deal(id="D-5", title="Engine", type=before)
            result = merge(ENGINE_LEAD, Merge("deal", "D-5"), by, deal).result()
            assert after == result.deal.type
            assert rows == [
                (row.target, str(row.outcome)) for row in result.rows if row.field is None
            ]

    def test_what_is_missing_is_not_asked_for(self) -> None:
        """A record that lacked something before is not asked for it now."""
        by = rules(FieldMapping("comments", "deal"))
        lead = attrs.evolve(ENGINE_LEAD, comments="urgent")
        assert merge(lead, Merge("deal", "D-5"), by, Deal(id="D-5")).ok


class TestWhatIsTold:
    def test_fallbacks(self) -> None:
        """A fallback that was not needed stays told as that, whether the first was taken or not."""
        by = rules(FieldMapping("title", "deal", fallbacks=["company_name"]))
        lead = attrs.evolve(ENGINE_LEAD, company_name="Engines")
        for title, outcome in (
            (None, "carried"),
            ("Other", "unmerged"),
            ("ENGINE", "already_there"),
        ):
            p = merge(lead, Merge("deal", "D-5"), by, Deal(id="D-5", title=title))
            assert [("deal 1.title", outcome)] == told(p, "title")
            assert [("deal 1.title", "not_needed")] == told(p, "company_name")
            assert () == p.dropped

    def test_what_a_merger_refused(self) -> None:
        """A value that could not be merged is told as refused, never as carried."""
        by = rules(attrs.evolve(TITLE, conflict="fail"))
        p = merge(ENGINE_LEAD, Merge("deal", "D-5"), by, Deal(id="D-5", title="Old"))
        assert [("deal 1.title", "refused")] == told(p, "title")

    def test_stage_and_pipeline(self) -> None:
        """What exists is not moved by merging into it; what would have moved it is unmerged."""
        lead_kind = attrs.evolve(LEAD, custom=[Field("UF_P", "text"), Field("UF_S", "text")])
        by = rules(
            TITLE,
            FieldMapping("UF_P", "deal", "pipeline", conflict="take"),
            FieldMapping("UF_S", "deal", "stage", fallbacks=["source"], conflict="take"),
            lead=lead_kind,
        )
        lead = attrs.evolve(ENGINE_LEAD, source="late", custom={"UF_P": "sales", "UF_S": "late"})
        deal = Deal(id="D-5", title="Engine", pipeline="other", stage="open")
        p = merge(lead, Merge("deal", "D-5"), by, deal)
        assert ("other", "open") == (p.result().deal.pipeline, p.result().deal.stage)
        assert [("deal 1.pipeline", "unmerged")] == told(p, "UF_P")
        assert [("deal 1.stage", "unmerged")] == told(p, "UF_S")
        assert [("deal 1.stage", "unmerged")] == told(p, "source")

    @pytest.mark.parametrize("field", ["stage", "pipeline", "converted_from"])
    def test_what_merging_never_sets(self, field: str) -> None:
        """A stage, a pipeline and the leads it came from cannot be supplied either."""
        into = Merge("deal", "D-5", values={field: "late"})
        p = merge(ENGINE_LEAD, into, rules(TITLE), Deal(id="D-5", title="Engine", stage="open"))
        assert [("reserved_field", field)] == [(one.code, one.field) for one in p.problems]

    @pytest.mark.parametrize("conflict", ["fill", "keep"])
    def test_a_value_that_is_not_written_may_be_unfit(self, conflict: str) -> None:
        """Nothing is wrong with a value the record does not take; where it is taken, there is."""
        deal = attrs.evolve(DEAL, fields=[*DEAL.fields[1:], Field("title", "text", max_length=4)])
        by = rules(attrs.evolve(TITLE, conflict=conflict), kinds=(deal, CONTACT, COMPANY))
        p = merge(ENGINE_LEAD, Merge("deal", "D-5"), by, Deal(id="D-5", title="Old"))
        assert p.ok
        assert [("deal 1.title", "unmerged")] == told(p, "title")
        by = rules(attrs.evolve(TITLE, conflict="take"), kinds=(deal, CONTACT, COMPANY))
        p = merge(ENGINE_LEAD, Merge("deal", "D-5"), by, Deal(id="D-5", title="Old"))
        assert ["too_long"] == [one.code for one in p.problems]
        assert [("deal 1.title", "refused")] == told(p, "title")

    def test_a_value_that_is_unfit_for_a_gap(self) -> None:
        """Where the record has nothing an unfit value is a problem, and supplying another helps."""
        deal = attrs.evolve(DEAL, fields=[*DEAL.fields[1:], Field("title", "text", max_length=4)])
        by = rules(TITLE, kinds=(deal, CONTACT, COMPANY))
        record = Deal(id="D-5")
        p = merge(ENGINE_LEAD, Merge("deal", "D-5"), by, record)
        assert ["too_long"] == [one.code for one in p.problems]
        into = Merge("deal", "D-5", values={"title": "Eng"})
        assert "Eng" == merge(ENGINE_LEAD, into, by, record).result().deal.title


class TestNewest:
    @pytest.mark.parametrize(
        ("ours", "theirs", "title"),
        [
            (LATER, AT, "Engine"),
            (AT, LATER, "Old"),
            (AT, AT, "Old"),
            (AT, AT.astimezone(CET), "Old"),
            (LATER, AT.astimezone(CET), "Engine"),
            # what nobody knows is no reason to overwrite anything
            (None, AT, "Old"),
            (AT, None, "Old"),
            (None, None, "Old"),
            (AT, "yesterday", "Old"),
            (AT, datetime(2020, 1, 1), "Old"),  # noqa: DTZ001 - as a host may hand it over
            (AT, date(2020, 1, 1), "Old"),
        ],
    )
    def test_by_the_last_change(self, ours: datetime | None, theirs: object, title: str) -> None:
        """The lead's is newer only if both moments are known and it was changed after."""
        by = rules(attrs.evolve(TITLE, conflict="newest"))
        lead = attrs.evolve(ENGINE_LEAD, updated_at=ours)
        deal = Deal(id="D-5", title="Old", custom={"updated_at": theirs})
        assert title == merge(lead, Merge("deal", "D-5"), by, deal).result().deal.title

    def test_other_rules_do_not_look(self) -> None:
        """A moment that cannot be compared is in nobody else's way."""
        naive = datetime(2020, 1, 1)  # noqa: DTZ001 - as a host may hand it over
        lead = attrs.evolve(ENGINE_LEAD, updated_at=AT)
        deal = Deal(id="D-5", custom={"updated_at": naive})
        p = merge(lead, Merge("deal", "D-5"), rules(TITLE), deal)
        assert "Engine" == p.result().deal.title


class TestMergersOfOnesOwn:
    @pytest.mark.parametrize(
        ("merger", "told"),
        [
            ("fail", "merging by 'fail' could not make a value of deal.title (ZeroDivisionError)"),
            ("wrong", "merging by 'wrong' could not make a value of deal.title (MisfitError)"),
        ],
    )
    def test_one_that_makes_no_value(self, merger: str, told: str) -> None:
        """A merger that raises, or makes what does not fit, is a problem of that field."""
        by = rules(attrs.evolve(TITLE, conflict=merger))
        record = Deal(id="D-5", title="Old")
        p = merge(ENGINE_LEAD, Merge("deal", "D-5"), by, record)
        [problem] = p.problems
        assert (told, "supply the value in values=") == (problem.message, problem.remedy)
        assert (0, "deal", "title") == (problem.target, problem.kind, problem.field)
        with pytest.raises(errors.InvalidFieldsError):
            p.result()
        [asked] = p.form
        assert ("title", "Old", "merge_failed") == (asked.field, asked.value, asked.why)
        into = Merge("deal", "D-5", values={"title": "New"})
        assert "New" == merge(ENGINE_LEAD, into, by, record).result().deal.title

    def test_no_value_of_a_record_is_told(self) -> None:
        """The problem says what was raised, never what was in the two values."""
        by = rules(attrs.evolve(TITLE, conflict="fail"))
        lead = attrs.evolve(ENGINE_LEAD, title="planted-one")
        p = merge(lead, Merge("deal", "D-5"), by, Deal(id="D-5", title="planted-two"))
        assert "planted" not in repr(p.problems)

    def test_others_are_merged_all_the_same(self) -> None:
        """One field that cannot be merged hides no problem of another, nor its value."""
        by = rules(
            attrs.evolve(TITLE, conflict="fail"),
            FieldMapping("comments", "deal", conflict="wrong"),
            FieldMapping("source", "deal"),
        )
        lead = attrs.evolve(ENGINE_LEAD, comments="new", source="web")
        p = merge(lead, Merge("deal", "D-5"), by, Deal(id="D-5", title="Old", comments="old"))
        assert ["comments", "title"] == sorted(str(one.field) for one in p.problems)
        assert {"source": "web"} == p.targets[0].values

    def test_gaps_need_no_merger(self) -> None:
        """What is empty is filled by any merger, also one that would fail."""
        by = rules(attrs.evolve(TITLE, conflict="fail"))
        assert merge(ENGINE_LEAD, Merge("deal", "D-5"), by, Deal(id="D-5")).ok

    def test_new_records_need_none(self) -> None:
        """How something is merged says nothing about what is made."""
        by = rules(attrs.evolve(TITLE, conflict="fail"))
        p = plan(ENGINE_LEAD, [Create("deal")], rules=by, actor=ADMIN, at=AT)
        assert "Engine" == p.result().deal.title


class TestReferences:
    def test_an_existing_contact_keeps_its_company(self) -> None:
        """A company made along is nobody's who has one; the contact tells that it kept its own."""
        by = rules(FieldMapping("company_name", "company", "name"))
        lead = attrs.evolve(ENGINE_LEAD, company_name="Engines")
        ada = Contact(id="C-3", last_name="Lovelace", company_id="CO-1")
        known = Known(records=[ada, Company(id="CO-1", name="Other")])
        p = plan(
            lead,
            [Create("company"), Merge("contact", "C-3")],
            rules=by,
            actor=ADMIN,
            at=AT,
            known=known,
        )
        assert "CO-1" == p.result().contact.company_id
        assert "unchanged" == p.result().outcomes[1].action
        assert not [row for row in p.rows if row.target == "contact 1.company_id"]

    def test_a_contact_without_one_gets_it(self) -> None:
        """Whoever has no company gets the one that is made along."""
        by = rules(FieldMapping("company_name", "company", "name"))
        lead = attrs.evolve(ENGINE_LEAD, company_name="Engines")
        p = plan(
            lead,
            ["company", Merge("contact", "C-3")],
            rules=by,
            actor=ADMIN,
            at=AT,
            known=Known(records=[Contact(id="C-3", last_name="Lovelace")]),
        )
        result = p.result()
        assert result.company.id == result.contact.company_id
        assert [(None, "contact 1.company_id", "linked")] == [
            (row.field, row.target, str(row.outcome))
            for row in p.rows
            if row.target == "contact 1.company_id"
        ]

    @pytest.mark.parametrize("conflict", ["fill", "keep", "take", "append"])
    def test_an_existing_deal_gets_the_contact_made_along(self, conflict: str) -> None:
        """Whoever is made along joins those that a deal has, in whatever way others are merged."""
        by = rules(
            FieldMapping("contact_ids", "deal", conflict=conflict),
            FieldMapping("last_name", "contact"),
        )
        lead = Lead(id="L-7", stage="new", last_name="Lovelace")
        p = plan(
            lead,
            [Create("contact"), Merge("deal", "D-5")],
            rules=by,
            actor=ADMIN,
            at=AT,
            known=Known(
                records=[Deal(id="D-5", title="T", contact_ids=["C-1"]), Contact(id="C-1")]
            ),
        )
        made = p.result().contact.id
        assert ("C-1", made) == p.result().deal.contact_ids

    def test_whoever_is_there_is_not_added_twice(self) -> None:
        """A contact that a deal has already stands there once."""
        ada = Contact(id="C-3", last_name="Lovelace")
        deal = Deal(id="D-5", title="Engine", contact_ids=["C-1", "C-3"])
        result = convert(
            ENGINE_LEAD,
            [Merge("contact", "C-3"), Merge("deal", "D-5")],
            rules=rules(),
            actor=ADMIN,
            at=AT,
            known=Known(records=[ada, deal, Contact(id="C-1")]),
        )
        assert ("C-1", "C-3") == result.deal.contact_ids
        assert "unchanged" == result.outcomes[1].action

    def test_a_record_of_its_own_kind(self) -> None:
        """Merging into a company does not make it its own partner, whatever else is merged."""
        company = attrs.evolve(
            COMPANY, custom=[Field("UF_P", "reference", to="company", multiple=True)]
        )
        lead_kind = attrs.evolve(
            LEAD, custom=[Field("UF_P", "reference", to="company", multiple=True)]
        )
        by = rules(
            FieldMapping("UF_P", "company", conflict="take"),
            kinds=(company, DEAL),
            lead=lead_kind,
        )
        lead = attrs.evolve(ENGINE_LEAD, custom={"UF_P": ["CO-2"]})
        engines = Company(id="CO-9", name="Engines", custom={"UF_P": ["CO-1"]})
        p = merge(lead, Merge("company", "CO-9"), by, engines, Company(id="CO-2", name="Other"))
        assert ("CO-2",) == p.result().company.custom["UF_P"]

    def test_whoever_is_pointed_at_must_be_there(self) -> None:
        """A reference that merging brings in is looked at as any other."""
        by = rules(FieldMapping("company_id", "deal"))
        lead = attrs.evolve(ENGINE_LEAD, company_id="CO-9")
        p = merge(lead, Merge("deal", "D-5"), by, Deal(id="D-5", title="T"))
        assert [("unknown_record", "company_id")] == [(one.code, one.field) for one in p.problems]


class TestSight:
    def test_what_is_not_theirs_to_fill(self) -> None:
        """A field they may not edit takes the lead's value, and none of theirs."""
        margin = Field("UF_M", "text", sensitive=True)
        by = rules(
            FieldMapping("comments", "deal", "UF_M"),
            kinds=(attrs.evolve(DEAL, custom=[margin]), CONTACT, COMPANY),
            policy=Policy(
                [
                    Role(
                        "r",
                        [
                            Grant("*", ["read", "update", "merge", "convert", "move"]),
                            Grant("deal", "read", fields=["UF_M"]),
                        ],
                    )
                ]
            ),
        )
        actor = Actor("u-7", roles=["r"])
        lead = attrs.evolve(ENGINE_LEAD, comments="from the lead")
        deal = Deal(id="D-5", title="T")
        result = merge(lead, Merge("deal", "D-5"), by, deal, actor=actor).result()
        assert "from the lead" == result.deal.custom["UF_M"]
        into = Merge("deal", "D-5", values={"UF_M": "theirs"})
        p = merge(lead, into, by, deal, actor=actor)
        assert ["not_editable"] == [one.code for one in p.problems]

    def test_what_is_hidden(self) -> None:
        """Whether a hidden field of the record was empty, equal or other is not shown."""
        margin = Field("UF_M", "text", sensitive=True)
        by = rules(
            FieldMapping("comments", "deal", "UF_M"),
            kinds=(attrs.evolve(DEAL, custom=[margin]), CONTACT, COMPANY),
            policy=Policy(
                [Role("r", [Grant("*", ["read", "update", "merge", "convert", "move"])])]
            ),
        )
        lead = attrs.evolve(ENGINE_LEAD, comments="secret")
        shown = {
            merge(
                lead,
                Merge("deal", "D-5"),
                by,
                Deal(id="D-5", title="T", custom={"UF_M": value}),
                actor=Actor("u-7", roles=["r"]),
            ).shown()
            for value in (None, "secret", "other")
        }
        assert 1 == len(shown)


class TestMistakes:
    @staticmethod
    def told(*mappings: FieldMapping) -> list[str]:
        """What the refusal of rules with these mappings says, mistake by mistake."""
        with pytest.raises(errors.DefinitionError) as caught:
            rules(*mappings)
        return [str(problem) for problem in caught.value.problems]

    def test_all_at_once(self) -> None:
        """A rule that does not fit its field is told with the place and the reason."""
        assert [
            (
                "mapping title → deal.title: title cannot be merged by 'append':"
                " it holds one value (choose another rule)"
            ),
            (
                "mapping tags → deal.tags: tags cannot be merged by 'longest':"
                " it is no single text (choose another rule)"
            ),
            (
                "mapping amount → deal.amount: amount cannot be merged by 'longest':"
                " it is no single text (choose another rule)"
            ),
            (
                "mapping source → deal.source: source cannot be merged by 'tkae':"
                " there is no such rule, did you mean 'take'? (choose another rule)"
            ),
            (
                "mapping comments → deal.comments: comments cannot be merged by 'slashd':"
                " there is no such rule, did you mean 'slashed'? (choose another rule)"
            ),
            (
                "mapping opened → deal.opened: opened cannot be merged by '?':"
                " there is no such rule (choose another rule)"
            ),
        ] == self.told(
            FieldMapping("title", "deal", conflict="append"),
            FieldMapping("tags", "deal", conflict="longest"),
            FieldMapping("amount", "deal", conflict="longest"),
            FieldMapping("source", "deal", conflict="tkae"),
            FieldMapping("comments", "deal", conflict="slashd"),
            FieldMapping("opened", "deal", conflict="?"),
        )

    def test_other_mistakes_come_first(self) -> None:
        """Where the field does not exist there is nothing to fit."""
        [told] = self.told(FieldMapping("title", "deal", "titel", conflict="append"))
        assert (
            "mapping title → deal.titel: there is no field of deal 'titel', did you mean 'title'?"
            " (correct the name)"
        ) == told

    def test_functions(self) -> None:
        """A merger has a name of its own, and stands in a module, so that rules can be kept."""
        with pytest.raises(errors.DefinitionError) as caught:
            attrs.evolve(rules(), mergers={"fill": slashed, "local": lambda old, _: old})
        assert [
            "mergers: merger 'fill' stands twice (remove or rename one)",
            "mergers: merger 'local' is a lambda or a local function (define it in a module)",
        ] == [str(problem) for problem in caught.value.problems]

    def test_words(self) -> None:
        """The rules that need no function are these, as members and as texts."""
        assert {"fill", "keep", "take", "append", "longest", "newest"} == CONFLICTS
        assert TITLE == attrs.evolve(TITLE, conflict=Conflict.FILL)
        assert rules(TITLE).digest == rules(attrs.evolve(TITLE, conflict=Conflict.FILL)).digest
        assert rules(TITLE).digest != rules(attrs.evolve(TITLE, conflict="take")).digest


def refused(make: Callable[[], ConversionResult]) -> type[Exception]:
    """The class of the refusal of *make*."""
    with pytest.raises(errors.ConversionError) as caught:
        make()
    return type(caught.value)


class TestRefusals:
    def test_a_refused_merge_decides_nothing(self) -> None:
        """A plan with a problem has no changes, also for targets that are in order."""
        by = rules(attrs.evolve(TITLE, conflict="fail"), FieldMapping("last_name", "contact"))
        lead = attrs.evolve(ENGINE_LEAD, last_name="Lovelace")
        known = Known(records=[Deal(id="D-5", title="Old")])
        p = plan(lead, ["contact", Merge("deal", "D-5")], rules=by, actor=ADMIN, at=AT, known=known)
        assert p.conversion is None
        assert errors.InvalidFieldsError is refused(p.result)
        assert Outcome.REFUSED in {row.outcome for row in p.rows}
