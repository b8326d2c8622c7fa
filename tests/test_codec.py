"""What is written as JSON data is read back equal, and hand-written leads are read or refused."""

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadconvert import (
    AccessRequest,
    Actor,
    AddOptions,
    Address,
    Attach,
    ChangeSet,
    Channel,
    Claim,
    Company,
    Contact,
    Conversion,
    ConversionRules,
    Converted,
    Create,
    CreateField,
    Deal,
    Decision,
    Delete,
    Detach,
    Doubt,
    Event,
    Existing,
    Field,
    FrozenMap,
    GenericRecord,
    Grant,
    Insert,
    Kind,
    Known,
    Lead,
    MatchKey,
    Option,
    Plan,
    Product,
    Receipt,
    Record,
    Ref,
    Rejected,
    Row,
    StageChange,
    Suggestion,
    Trace,
    TraceStep,
    Update,
    Wanted,
    can_convert,
    convert,
    convert_many,
    plan,
    presets,
)
from leadconvert.codec import Codec
from leadconvert.errors import (
    AccessDeniedError,
    AlreadyConvertedError,
    Cause,
    ConversionError,
    DefinitionError,
    InvalidFieldsError,
    InvalidTargetError,
    MissingFieldsError,
    Problem,
    StageNotAllowedError,
    TargetsRequiredError,
    UnknownTargetError,
)


class Size(Enum):
    """A choice in a class of the host's."""

    SMALL = 1
    LARGE = 2


@attrs.frozen(kw_only=True)
class Project:
    """A record class of the host's, with a field of its own called kind."""

    id: str
    revision: str | None = None
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap)
    kind: str | None = None
    title: str | None = None
    weight: float | None = None
    size: Size = Size.SMALL
    price: int | str | None = None
    anything: object = None
    pair: tuple[str, int] | None = None
    numbers: frozenset[int] = frozenset()
    due: datetime | None = None
    converted_from: tuple[str, ...] = ()


def _rules() -> ConversionRules:
    rules = presets.bitrix24()
    back = Field("converted_from", "reference", to="lead", multiple=True)
    invoice = Kind("invoice", fields=[Field("number", "text"), back])
    project = Kind("project", Project, fields=[back])
    lead = attrs.evolve(
        rules.lead,
        custom=[
            *rules.lead.custom,
            Field("UF_DAY", "date"),
            Field("UF_MONEY", "money"),
            Field("UF_MAILS", "email", multiple=True),
            Field("UF_PHONE", "phone"),
            Field("UF_TEXT", "text"),
            Field("UF_AT", "datetime"),
        ],
    )
    return attrs.evolve(rules, lead=lead, kinds=[*rules.kinds, invoice, project])


CODEC = Codec(_rules())
AT = datetime(2027, 1, 31, 12, 0, tzinfo=timezone(timedelta(hours=3)))
ADMIN = Actor("u-1", roles=["admin", "sales"])
DEAL = Ref("deal", "D-5", provisional=True)
MADE = Conversion(id="L-7.1", at=AT, actor_id="u-1", targets=[DEAL], rules="9f2c")
MISSING = Problem(cause=Cause.MISSING, code="required", target=0, kind="deal", params={"a": ["b"]})
REQUEST = AccessRequest(action="move", kind="deal", to_stage="WON")
GRANTED = Decision(
    actor_id="u-1",
    request=REQUEST,
    allowed=True,
    code="granted",
    role="sales",
    grant=Grant("*", "move", ["own", "team"], stage="NEW", to=["WON"]),
)
CLAIM = Claim(MatchKey("email", "ada@example.com"), [Ref("contact", "C-3"), DEAL])
TRACE = Trace(
    id="L-7.1",
    steps=[
        TraceStep(
            ref=DEAL, action="created", before={"at": AT}, written={"to": DEAL, "amount": "9f2c"},
            attached=[("converted_from", DEAL)],
        )
    ],
)  # fmt: skip
RECEIPT = Receipt(
    ids=[(DEAL, Ref("deal", "5"))],
    revisions=[(Ref("deal", "5"), "1")],
    replayed=True,
    key="k",
    fingerprint="9f2c",
    conversions=["L-7.1"],
)
INVOICE = GenericRecord(kind="invoice", id="I-1", custom={"number": "2027-001"})
LEAD = Lead(
    id="L-7",
    revision="3",
    stage="NEW",
    title="Engine \ud800 \x00 \u2028",
    last_name="Lovelace",
    birth_date=date(1815, 12, 10),
    opened=True,
    tags=["a", "b"],
    address=Address(city="London"),
    emails=[Channel("ada@example.com", "work")],
    amount=Decimal("5000.00"),
    currency="EUR",
    products=[Product(name="Cog", price=Decimal("1.50"), tax_percent=Decimal(19))],
    created_at=AT,
    stage_history=[StageChange(to_stage="NEW", at=AT)],
    conversions=[attrs.evolve(MADE, closing=False)],
    custom={"UF_X": 1},
)


def _carried(value: object, cls: Any = None) -> object:  # noqa: ANN401 - unions are no types
    """Return *value* after a journey as JSON text."""
    text = json.dumps(CODEC.to_data(value), allow_nan=False)
    return CODEC.from_data(json.loads(text), type(value) if cls is None else cls)


def _refused(lead: dict[str, object]) -> str:
    with pytest.raises(ValueError, match="@") as refusal:
        CODEC.leads([{"id": "L-7", "stage": "NEW", **lead}])
    return str(refusal.value)


class TestRoundTrip:
    """Everything comes back equal."""

    @pytest.mark.parametrize(
        "value",
        [
            LEAD,
            Contact(id="C-3", first_name="Ada", converted_from=["L-7"]),
            Company(id="CO-9", name="Engines"),
            Deal(id="D-5", close_date=date(2027, 1, 31), amount=5),
            INVOICE,
            Project(
                id="P-1",
                kind="big",
                weight=0.1,
                size=Size.LARGE,
                price="dear",
                anything=Decimal("1.0"),
                pair=("a", 1),
                numbers=frozenset({1, 2}),
                due=AT,
            ),
            MISSING,
            Insert(DEAL, {"amount": Decimal("5.00"), "contact_ids": [DEAL]}),
            Update(DEAL, None, {"conversions": [MADE]}),
            Event(name="lead.converted", ref=DEAL, at=AT, actor_id="u-1", params={"d": AT}),
            ChangeSet(key="k", fingerprint="f", changes=[Insert(DEAL, {}), Update(DEAL, "3", {})]),
            Receipt(ids=[(DEAL, Ref("deal", "5"))], revisions=[(Ref("deal", "5"), "1")]),
            Known(records=[LEAD, Deal(id="D-5"), Project(id="P", kind="x"), INVOICE]),
            Wanted(refs=(DEAL,)),
            Create("deal", id="D-5", values={"close_date": date(2027, 1, 31)}),
            ADMIN,
            REQUEST,
            GRANTED,
            CreateField(kind="deal", field=Field("UF_X", "money", default=Decimal("5.00"))),
            AddOptions(kind="deal", field="UF_X", options=[Option("hot", "Very warm")]),
            Existing("UF_X", values={"45": "hot"}, add_options=True),
            Suggestion(source="UF_X", kind="deal", doubt=Doubt.TAKEN, candidates=["UF_Y"]),
            Field("heat", "enumeration", options=["cold", "hot"], default="hot"),
            Row("tags", None, "dropped", None, "no_mapping"),
            DefinitionError([Problem(cause=Cause.DEFINITION, code="twice", place="kinds")]),
            FrozenMap({"a": date(2027, 1, 31)}),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_a_value_comes_back_equal(self, value: object) -> None:
        """Each class of values survives JSON text."""
        assert value == _carried(value)

    @pytest.mark.parametrize(
        "value",
        [
            CLAIM,
            Insert(DEAL, {}, [CLAIM, attrs.evolve(CLAIM, seen=[])]),
            Update(DEAL, "3", {}, [CLAIM]),
            ChangeSet(
                key="k",
                fingerprint="f",
                after=["j"],
                traces=[TRACE],
                changes=[
                    Insert(DEAL, {"title": "x"}, [CLAIM]),
                    Update(DEAL, None, {}, [CLAIM]),
                    Attach(DEAL, "x", [DEAL]),
                    Detach(DEAL, "x", [DEAL]),
                    Delete(DEAL, "1"),
                    Delete(DEAL, None, {"contact_ids": [], "converted_from": [DEAL]}),
                ],
                events=[Event(name="lead.converted", ref=DEAL, at=AT, params={"made": (DEAL,)})],
            ),
            RECEIPT,
            Known(receipt=RECEIPT, traces=[TRACE]),
            Wanted(key="k", matches=(("contact", CLAIM.key),), traces=("L-7.1",)),
        ],
    )
    def test_what_a_store_is_told_comes_back_equal(self, value: object) -> None:
        """Changes come back with claims and traces, and so do receipts, alone or in `Known`."""
        assert value == _carried(value)

    @pytest.mark.parametrize(
        "value",
        [
            attrs.evolve(GRANTED, grant=Grant("deal", "move", [], stage="NEW", to=[])),
            attrs.evolve(GRANTED, grant=Grant("deal", "read", fields=["margin"])),
            Decision(
                actor_id="u-1",
                request=REQUEST,
                allowed=False,
                code="out_of_scope",
                could=("admin", "boss"),
                unknown_roles=("saels",),
            ),
            Actor("u-1", department=["u-2"], subdepartments=["u-3"], team=["u-4"]),
            Known(decisions=[GRANTED]),
            Known(decisions=[]),
            Wanted(access=(REQUEST,)),
            presets.bitrix24().policy,
            can_convert(Lead(id="L-7", stage="NEW"), ADMIN, presets.bitrix24()),
            can_convert(Lead(id="L-7", stage="NEW"), Actor("u-9"), presets.bitrix24()),
        ],
    )
    def test_who_may_do_what_comes_back_equal(self, value: object) -> None:
        """Grants, decisions and choices come back; an empty list is not taken for none given."""
        assert value == _carried(value)

    @pytest.mark.parametrize(
        "cls",
        [
            AccessDeniedError, AlreadyConvertedError, ConversionError, InvalidFieldsError,
            InvalidTargetError, MissingFieldsError, StageNotAllowedError, TargetsRequiredError,
            UnknownTargetError,
        ],
    )  # fmt: skip
    def test_an_error_comes_back_as_its_class(self, cls: type[ConversionError]) -> None:
        """An error read as a ConversionError is of the class it was written from."""
        assert cls("L-7", [MISSING]) == _carried(cls("L-7", [MISSING]), ConversionError)

    def test_a_plan_with_everything(self) -> None:
        """A plan that is fine comes back with its result, one with problems with its form."""
        fine = plan(
            Lead(id="L-1", stage="NEW", title="E", last_name="L", custom={"UF_DAY": AT.date()}),
            ["contact", "deal", "invoice", "project"],
            rules=CODEC.rules, actor=ADMIN, at=AT,
        )  # fmt: skip
        wrong = plan(Lead(id="L-1", stage="NEW"), ["deal"], rules=CODEC.rules, actor=ADMIN, at=AT)
        assert fine.ok
        assert wrong.form
        assert fine == _carried(fine, Plan)
        assert wrong == _carried(wrong, Plan)
        assert fine.shown() == _carried(fine.shown())
        assert wrong.shown() == _carried(wrong.shown())

    def test_a_result_with_own_and_generic_records(self) -> None:
        """A real conversion into a class of the host's and a generic kind comes back equal."""
        lead = Lead(id="L-1", stage="NEW", title="Engine", amount=5, currency="EUR")
        result = convert(
            lead, ["deal", "invoice", "project"], rules=CODEC.rules, actor=ADMIN, at=AT
        )
        assert result == _carried(result)
        assert result.changes == _carried(result.changes)

    def test_the_outcomes_of_many(self) -> None:
        """Converted and rejected leads come back as what they are, also out of their union."""
        leads = [Lead(id="L-1", stage="NEW", title="E"), Lead(id="L-2", stage="JUNK")]
        done = list(convert_many(leads, ["deal"], rules=CODEC.rules, actor=ADMIN, at=AT))
        assert [Converted, Rejected] == [type(one) for one in done]
        assert done == [_carried(one, Converted | Rejected) for one in done]

    def test_a_moment_keeps_its_offset(self) -> None:
        """A moment is told in the zone it was told in."""
        assert (
            timedelta(hours=3)
            == CODEC.from_data(CODEC.to_data(LEAD.stage_history[0]), StageChange).at.utcoffset()
        )

    @settings(max_examples=50, deadline=None)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
            | st.decimals(allow_nan=False) | st.dates() | st.text(st.characters())
            | st.datetimes(timezones=st.none() | st.just(UTC)).map(lambda at: at.replace(fold=0))
            | st.sampled_from([DEAL, Channel("a"), Address(city="B"), MADE, LEAD.products[0]]),
            lambda some: st.lists(some, max_size=3)
            | st.dictionaries(st.sampled_from(["$map", "$date", "a", "b"]), some, max_size=2),
            max_leaves=8,
        )
    )  # fmt: skip
    def test_any_custom_value(self, value: object) -> None:
        """Whatever a custom field may hold comes back equal and of the same type."""
        record = Deal(id="D-5", custom={"x": value})
        back = _carried(record)
        assert record == back
        assert repr(record.custom) == repr(getattr(back, "custom", None))


class TestData:
    """The data itself, as other programs see it."""

    def test_empty_fields_are_left_out(self) -> None:
        """Typed places are plain, untyped ones tagged, and what is empty by default is left out."""
        deal = Deal(
            id="D-5", amount=Decimal("5.00"), custom={"n": Decimal(1), "t": ["a", {"b": 0.5}]}
        )
        assert {
            "id": "D-5",
            "custom": {"n": {"$decimal": "1"}, "t": ["a", {"$map": {"b": {"$float": "0.5"}}}]},
            "amount": "5.00",
        } == CODEC.to_data(deal)

    def test_a_record_tells_its_kind(self) -> None:
        """Among others a record names its kind, under another key where a field takes that."""
        assert {
            "records": [
                {"kind": "company", "id": "CO-9", "custom": {}},
                {"kind": "invoice", "id": "I-1", "custom": {}},
                {
                    "$kind": "project", "id": "P-1", "custom": {}, "kind": "big",
                    "size": 2,
                },
            ]
        } == CODEC.to_data(
            Known(
                records=[
                    Company(id="CO-9"),
                    GenericRecord(kind="invoice", id="I-1"),
                    Project(id="P-1", kind="big", size=Size.LARGE),
                ]
            )
        )  # fmt: skip

    def test_an_error_is_an_object(self) -> None:
        """An error names its class, its lead and its problems."""
        assert {
            "error": "MissingFieldsError",
            "lead_id": "L-7",
            "kind": "lead",
            "problems": [
                {
                    "cause": "missing", "code": "required", "target": 0, "kind": "deal",
                    "params": {"a": ["b"]},
                }
            ],
        } == CODEC.to_data(MissingFieldsError("L-7", [MISSING]))  # fmt: skip

    def test_roles_are_in_order(self) -> None:
        """A set is written in order, so that equal values have equal data."""
        assert {"id": "u-1", "roles": ["admin", "sales"]} == CODEC.to_data(ADMIN)

    def test_enumerations_are_plain_text(self) -> None:
        """Where text stands, a StrEnum is written as text alone."""
        data = CODEC.to_data(Deal(id="D-5", custom={"cause": Cause.STAGE}))
        assert {"id": "D-5", "custom": {"cause": "stage"}} == data
        assert isinstance(data, dict)
        assert str is type(data["custom"]["cause"])


class TestRefusals:
    """What cannot be written or read is refused in words."""

    def test_a_foreign_value_is_not_written(self) -> None:
        """A value nobody could read back is refused when it is written."""
        with pytest.raises(TypeError, match="Option cannot be written as JSON data"):
            CODEC.to_data(
                Deal(id="D-5", custom={"x": Field("a", "enumeration", options=["b"]).options})
            )

    def test_a_record_of_no_kind_is_not_written(self) -> None:
        """A record whose kind the rules do not have is refused."""
        with pytest.raises(ValueError, match="no kind of the rules is of the record's 'order'"):
            CODEC.to_data(Known(records=[GenericRecord(kind="order", id="O-1")]))

    def test_an_error_of_ones_own_is_not_written(self) -> None:
        """A subclass made elsewhere cannot be read back, so it is refused."""

        class OwnError(ConversionError):
            """Made elsewhere."""

        with pytest.raises(TypeError, match="OwnError is no error of the library"):
            CODEC.to_data(OwnError("L-7", []))

    @pytest.mark.parametrize(
        ("data", "cls", "message"),
        [
            ({"id": "D", "custom": {"x": {"$x": 1}}}, Deal, "'$x' is no tag"),
            ({"id": "D", "custom": {"x": {}}}, Deal, "an object needs a tag here"),
            ({"id": "D", "custom": {"x": 0.5}}, Deal, "a float is not exact"),
            ({"id": "D", "custom": {"x": {"$map": 1}}}, Deal, "an object is needed, not a whole"),
            ({"id": "D", "custom": {"x": {"$decimal": "x"}}}, Deal, "a number is needed, not such"),
            (
                {"id": "D", "custom": {"x": {"$date": 1}}},
                Deal,
                "a date such as 2027-01-31 is needed",
            ),
            (
                {"action": "fly", "kind": "deal"},
                AccessRequest,
                "there is no such choice, only read",
            ),
            ({"records": [{"kind": "order"}]}, Known, "a record needs its kind, one of lead"),
            ({"records": [{"kind": 5}]}, Known, "@ $.records[0]"),
            ({"error": "DefinitionError", "problems": []}, ConversionError, "names no Conversion"),
            ({"error": "Nothing"}, ConversionError, "'error' names no ConversionError"),
            ({"ids": [[{"kind": "a", "id": "b"}]]}, Receipt, "a list of 2 is needed, not of 1"),
            ({"field": "a"}, Row, "required field missing @ $.target"),
            ({"id": "h", "type": "enumeration", "label": "H"}, Field, "field h: "),
            ({"id": "P", "size": 3}, Project, "3 is not a valid Size @ $.size"),
            (b"x", Project, "an object is needed, not a bytes @ $"),
        ],
    )
    def test_strange_data_is_not_read(self, data: object, cls: type, message: str) -> None:
        """Data that is none of the class is refused, with the place."""
        with pytest.raises(ValueError, match="@ \\$") as refusal:
            CODEC.from_data(data, cls)
        assert message in str(refusal.value)

    def test_an_error_without_words(self) -> None:
        """A class of the host's that refuses without a word is named by its error."""

        def refuse(_: object) -> str:
            raise RuntimeError

        @attrs.frozen
        class Strict:
            """Refuses everything."""

            name: str = attrs.field(converter=refuse)

        with pytest.raises(ValueError, match=r"^RuntimeError @ \$$"):
            CODEC.from_data({"name": "x"}, Strict)

    def test_bare_collections_hold_anything(self) -> None:
        """A list whose items have no type is read with tags."""
        assert [date(2027, 1, 31)] == CODEC.from_data([{"$date": "2027-01-31"}], list)


class TestLeads:
    """Hand-written leads."""

    def test_one_and_several(self) -> None:
        """One object is one lead, a list several."""
        data = {"id": "L-7", "stage": "NEW"}
        assert (Lead(id="L-7", stage="NEW"),) == CODEC.leads(data)
        assert (Lead(id="L-7", stage="NEW"),) * 2 == CODEC.leads([data, data])
        assert () == CODEC.leads([])

    @pytest.mark.parametrize("amount", ["5", 5, Decimal(5)], ids=["text", "int", "decimal"])
    def test_amounts(self, amount: object) -> None:
        """An amount is text or an exact number."""
        [lead] = CODEC.leads({"id": "L-7", "stage": "NEW", "amount": amount})
        assert Decimal(5) == lead.amount

    def test_channels(self) -> None:
        """A channel is an object or its text alone."""
        emails = [{"value": "a@b", "use": "work"}, "c@d"]
        [lead] = CODEC.leads({"id": "L-7", "stage": "NEW", "emails": emails})
        assert (Channel("a@b", "work"), Channel("c@d")) == lead.emails

    def test_custom_values_by_their_field(self) -> None:
        """A custom value is read by its field's type, by its tag, or as what it looks like."""
        custom = {
            "UF_DAY": "2027-01-31",
            "UF_MONEY": 5,
            "UF_MAILS": ["a@b", {"value": "c@d", "use": "work"}],
            "UF_PHONE": "+44",
            "UF_TEXT": None,
            "UF_AT": {"$datetime": "2027-01-31T12:00:00+00:00"},
            "new": {"a": [Decimal("1.5"), True, {"$date": "2027-01-31"}], "b": "c"},
            "day": "2027-01-31",
        }
        [lead] = CODEC.leads({"id": "L-7", "stage": "NEW", "custom": custom})
        assert {
            "UF_DAY": date(2027, 1, 31),
            "UF_MONEY": Decimal(5),
            "UF_MAILS": (Channel("a@b"), Channel("c@d", "work")),
            "UF_PHONE": Channel("+44"),
            "UF_TEXT": None,
            "UF_AT": datetime(2027, 1, 31, 12, 0, tzinfo=UTC),
            "new": FrozenMap({"a": (Decimal("1.5"), True, date(2027, 1, 31)), "b": "c"}),
            "day": "2027-01-31",
        } == dict(lead.custom)

    def test_one_value_of_several(self) -> None:
        """Where several values may stand, one alone will do."""
        [lead] = CODEC.leads({"id": "L-7", "stage": "NEW", "custom": {"UF_MAILS": "a@b"}})
        assert {"UF_MAILS": (Channel("a@b"),)} == dict(lead.custom)

    def test_what_is_written_is_read(self) -> None:
        """Leads that were written exactly are read here too."""
        assert (LEAD,) == CODEC.leads(CODEC.to_data(LEAD))

    @pytest.mark.parametrize(
        ("lead", "message"),
        [
            ({"amount": 1.5}, "a float is not exact"),
            ({"amount": Decimal("NaN")}, "a number must be finite @ $[0].amount"),
            ({"amount": True}, "a number is needed, not true or false @ $[0].amount"),
            ({"amount": "much"}, "a number is needed, not such text @ $[0].amount"),
            ({"amuont": 1}, "there is no 'amuont', did you mean 'amount'? @ $[0]"),
            ({"xyz123": 1}, "there is no 'xyz123' @ $[0]"),
            ({"title": 5}, "text is needed, not a whole number @ $[0].title"),
            ({"opened": 1}, "true or false is needed, not a whole number @ $[0].opened"),
            ({"tags": "abc"}, "a list is needed, not text @ $[0].tags"),
            ({"tags": ["a", None]}, "text is needed, not null @ $[0].tags[1]"),
            ({"emails": [{"valu": "a"}]}, "did you mean 'value'? @ $[0].emails[0]"),
            ({"created_at": "2027-01-31T12:00:00"}, "a moment needs a time zone"),
            ({"birth_date": "soon"}, "a date such as 2027-01-31 is needed, not such text"),
            ({"custom": []}, "an object is needed, not a list @ $[0].custom"),
            ({"custom": {"UF_DAY": 5}}, "not a whole number @ $[0].custom['UF_DAY']"),
            ({"custom": {"UF_TEXT": ["a"]}}, "text is needed, not a list @ $[0].custom['UF_TEXT']"),
            ({"custom": {"x": [0.5]}}, "a float is not exact"),
        ],
    )  # fmt: skip
    def test_a_mistake_is_told_with_its_place(self, lead: dict[str, object], message: str) -> None:
        """Each mistake is refused in words, with the place."""
        assert message in _refused(lead)

    def test_all_mistakes_at_once(self) -> None:
        """All mistakes of all leads stand in one error, a line each."""
        with pytest.raises(ValueError, match="@") as refusal:
            CODEC.leads([{"id": "L-7"}, 5, {"id": 7, "stage": "NEW", "custom": {"UF_MONEY": []}}])
        assert [
            "required field missing @ $[0].stage",
            "an object is needed, not a whole number @ $[1]",
            "a number is needed, not a list @ $[2].custom['UF_MONEY']",
            "text is needed, not a whole number @ $[2].id",
        ] == sorted(str(refusal.value).splitlines(), key=lambda line: line[line.index("$") :])

    @pytest.mark.parametrize("data", ["L-7", None, 5])
    def test_another_shape(self, data: object) -> None:
        """What is no object and no list of them is refused."""
        with pytest.raises(ValueError, match="leads are an object or a list of objects, not"):
            CODEC.leads(data)


class TestLoading:
    """What loading costs."""

    def test_the_package_does_not_load_cattrs(self) -> None:
        """Whoever writes no JSON does not pay for it."""
        code = "import sys, leadconvert, leadconvert.presets; sys.exit('cattrs' in sys.modules)"
        assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode  # noqa: S603

    def test_a_record_is_read_by_its_kind(self) -> None:
        """Data that names its kind is read as a record of whatever class that has."""
        data = {"kind": "deal", "id": "D-5"}
        read: Any = CODEC.from_data
        assert Deal(id="D-5") == read(data, Record)
