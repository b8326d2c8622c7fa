# ruff: noqa: D106, DJ001 - text that may be missing is not the same as none
"""The recipe for Django: a store in the tables of a project keeps the whole contract."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import attrs
import django  # type: ignore[import-untyped]
import pytest
from databases import empty_schema
from django.conf import settings  # type: ignore[import-untyped]
from django.db import connections, models, transaction, utils  # type: ignore[import-untyped]
from django.db.models.signals import post_save  # type: ignore[import-untyped]

from leadconvert import (
    Actor,
    ChangeSet,
    Channel,
    Claim,
    Contact,
    ConversionResult,
    Deal,
    Event,
    FieldType,
    Insert,
    Kind,
    Lead,
    Matching,
    MatchKey,
    MatchRule,
    Ref,
    Update,
    Wanted,
    presets,
    seed,
)
from leadconvert.codec import Codec
from leadconvert.errors import ConflictError, StoreError, UnavailableError, UnfitValueError
from leadconvert.stores import convert_stored, reverse_stored
from leadconvert.testing import Opened, StoreContract


MEMORY: Final = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
settings.configure(DATABASES={"default": MEMORY, "tests": MEMORY}, USE_TZ=True)
django.setup()

# models need settings, and so does the recipe
from docs.recipes.django_store import DjangoTables, Found, Kept, Stored  # noqa: E402
from docs.recipes.tables import TableStore, translated  # noqa: E402


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
ADMIN: Final = Actor("u-1", roles=["admin"])
ADA: Final = MatchKey("email", "ada@example.com")


class Row(Stored):
    class Meta:
        abstract = True
        app_label = "host"


class LeadRow(Row):
    stage = models.CharField(max_length=20)
    title = models.TextField(null=True)


class CompanyRow(Row):
    name = models.TextField(null=True)


class ContactRow(Row):
    last_name = models.TextField(null=True)


class DealRow(Row):
    title = models.TextField(null=True)
    amount = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    company = models.ForeignKey(CompanyRow, null=True, on_delete=models.PROTECT)
    weight = models.IntegerField(default=7)  # nothing that the rules know


HOST: Final = {"lead": LeadRow, "company": CompanyRow, "contact": ContactRow, "deal": DealRow}
RULES: Final = attrs.evolve(
    presets.bitrix24(), children=[], matching=Matching([MatchRule("contact", ["email"])])
)

#: What the contract's fields are kept in: SQLite has no exact numbers, so these go without.
COLUMNS: Final[Mapping[FieldType, Callable[[], Any]]] = {
    FieldType.TEXT: lambda: models.TextField(null=True),
    FieldType.ENUMERATION: lambda: models.TextField(null=True),
    FieldType.INTEGER: lambda: models.BigIntegerField(null=True),
    FieldType.BOOLEAN: lambda: models.BooleanField(null=True),
    FieldType.DATE: lambda: models.DateField(null=True),
    FieldType.DATETIME: lambda: models.DateTimeField(null=True),
    FieldType.REFERENCE: lambda: models.BigIntegerField(null=True),
}


def model_of(kind: Kind) -> Any:  # noqa: ANN401 - Django comes without types
    """Return a model with a column for each field that one can hold."""
    columns = {
        name: COLUMNS[field.type]()
        for name, field in kind.members.items()
        if field.type in COLUMNS and not field.multiple
    }
    meta = type("Meta", (), {"app_label": "contract"})
    return type(kind.id, (Stored,), {"__module__": __name__, "Meta": meta, **columns})


MODELS: Final = {kind.id: model_of(kind) for kind in StoreContract.rules.every_kind}
EVERY: Final = (Kept, Found, *reversed(HOST.values()), *MODELS.values())


@pytest.fixture(scope="module", autouse=True)
def _tables() -> None:
    """The tables, which a project's migrations make."""
    with connections["tests"].schema_editor() as editor:
        for model in EVERY:
            editor.create_model(model)


def rows(model: Any, using: str = "tests") -> Any:  # noqa: ANN401 - Django comes without types
    """Return all rows of a model."""
    return model.objects.using(using).order_by("pk")


def refs_of(models_: Mapping[str, Any], using: str = "tests") -> list[Ref]:
    """Return every record that there is."""
    return [Ref(kind, str(row.pk)) for kind, model in models_.items() for row in rows(model, using)]


def opened(using: str) -> Opened:
    """Return a store for the contract, whose tables are emptied."""
    for model in (Kept, Found, *MODELS.values()):
        rows(model, using).delete()
    codec, kept = Codec(StoreContract.rules), rows(Kept, using).filter(shelf="Event")
    return Opened(
        TableStore(StoreContract.rules, DjangoTables(MODELS, using)),
        lambda: refs_of(MODELS, using),
        lambda: [codec.from_data(row.data, Event) for row in kept.all()],
    )


class TestDjangoStore(StoreContract):
    shared = False
    examples = 5

    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """A store that begins its own transactions."""
        yield opened("tests")


class OnPostgresql(StoreContract):
    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """A store beside which another one is at work, on a connection of its own."""
        beside = TableStore(self.rules, DjangoTables(MODELS, "beside"))
        yield attrs.evolve(opened("postgresql"), other=beside)


@pytest.fixture(scope="module")
def _postgresql() -> Iterator[None]:
    """Two connections to one PostgreSQL, the second of which does not wait for long."""
    with empty_schema() as url:
        options = str(url.query["options"])
        for alias, more in (("postgresql", ""), ("beside", " -clock_timeout=50ms")):
            connections.settings[alias] = {
                **connections["tests"].settings_dict,
                "ENGINE": "django.db.backends.postgresql",
                "NAME": url.database,
                "USER": url.username,
                "PASSWORD": url.password or "",
                "HOST": url.host or str(url.query.get("host", "")),
                "PORT": url.port or "",
                "OPTIONS": {"options": options + more},
            }
        with connections["postgresql"].schema_editor() as editor:
            for model in (Kept, Found, *MODELS.values()):
                editor.create_model(model)
        yield
        for alias in ("postgresql", "beside"):
            connections[alias].close()
            del connections.settings[alias]


@pytest.mark.usefixtures("_postgresql")
class TestPostgresql:
    @pytest.mark.parametrize(
        "test",
        [
            OnPostgresql.test_load_is_one_snapshot,
            OnPostgresql.test_race_of_twins,
            OnPostgresql.test_race_for_one_lead,
            OnPostgresql.test_race_for_a_hot_record,
        ],
    )
    def test_what_needs_two_connections(self, test: Callable[[StoreContract], None]) -> None:
        """What the contract says of those who are at work at once holds on a real server."""
        test(OnPostgresql())

    def test_who_claims_the_same_waits(self) -> None:
        """Nobody claims a key before another who claims it is done, be it claimed before or not."""
        first = opened("postgresql").store
        second = TableStore(StoreContract.rules, DjangoTables(MODELS, "beside"))
        values = {"last_name": "Lovelace", "emails": (Channel(ADA.value),)}
        seen: list[Ref] = []
        for number in (1, 2):
            new = Insert(Ref("contact", "new", provisional=True), values, [Claim(ADA, seen)])
            asked = ChangeSet(key=f"first {number}", fingerprint="f", changes=[new])
            with transaction.atomic("postgresql"):
                seen += [ref for _, ref in first.apply(asked).ids]
                with pytest.raises(UnavailableError):
                    second.apply(attrs.evolve(asked, key="second"))
            with pytest.raises(ConflictError):
                second.apply(attrs.evolve(asked, key="second"))


@pytest.fixture
def store() -> TableStore:
    """A store in the models of a host: a lead, and somebody with its e-mail."""
    for model in EVERY:
        rows(model).delete()
    made = TableStore(RULES, DjangoTables(HOST, "tests"))
    emails = [Channel(ADA.value)]
    lead = Lead(id="L-1", stage="NEW", title="Engine", emails=emails, company_name="Engines")
    made.apply(seed([lead, Contact(id="C-1", emails=emails)], rules=RULES))
    return made


def converted(store: TableStore) -> ConversionResult:
    """Convert the lead into everything."""
    into = ["company", "contact", "deal"]
    [lead] = rows(LeadRow)
    return convert_stored(store, str(lead.pk), into, rules=RULES, actor=ADMIN, at=AT)


class TestModels:
    def test_fields_are_kept_in_columns_of_their_names(self, store: TableStore) -> None:
        """What has a column stands there, a foreign key as well, and all else in custom."""
        result = converted(store)
        [company], [deal], [lead] = rows(CompanyRow), rows(DealRow), rows(LeadRow)
        assert ("Engine", company) == (deal.title, deal.company)
        assert ("CONVERTED", 2) == (lead.stage, lead.revision)
        assert "contact_ids" in deal.custom
        assert str(deal.pk) == result.deal.id

    def test_columns_of_the_host_stay(self, store: TableStore) -> None:
        """What the rules know nothing of is neither read nor written."""
        converted(store)
        rows(DealRow).update(weight=9)
        [deal] = rows(DealRow)
        known = store.load(Wanted(refs=(Ref("deal", str(deal.pk)),)))
        store.apply(
            ChangeSet(
                key="k",
                fingerprint="f",
                changes=[Update(Ref("deal", str(deal.pk)), "1", {"title": "New"})],
            )
        )
        assert {} == known.records[0].custom
        assert [("New", 9)] == list(rows(DealRow).values_list("title", "weight"))

    def test_a_conversion_can_be_taken_back(self, store: TableStore) -> None:
        """What refers to a record is removed before it, so that no foreign key is in the way."""
        result = converted(store)
        reverse_stored(store, result.lead.id, rules=RULES, actor=ADMIN, at=AT)
        assert ["contact", "lead"] == sorted(ref.kind for ref in refs_of(HOST))

    def test_what_others_refer_to_is_not_removed(self, store: TableStore) -> None:
        """A record that a foreign key protects stays, and so does all else."""
        result = converted(store)
        rows(DealRow).create(title="by hand", company_id=int(result.company.id))
        with pytest.raises(ConflictError):
            reverse_stored(store, result.lead.id, rules=RULES, actor=ADMIN, at=AT)
        assert ["CONVERTED"] == list(rows(LeadRow).values_list("stage", flat=True))

    @pytest.mark.parametrize(
        "record",
        [Deal(id="D", title="x", amount=Decimal("0.005")), Deal(id="D", company_id="CO-9")],
    )
    def test_what_a_column_would_change_is_refused(self, store: TableStore, record: Deal) -> None:
        """A column that rounds, or holds no such id, is noticed before anything is written."""
        before = refs_of(HOST)
        with pytest.raises(UnfitValueError) as caught:
            store.apply(seed([record], rules=RULES))
        assert [Ref("deal", "D", provisional=True)] == list(caught.value.refs)
        assert before == refs_of(HOST)


class TestInside:
    def test_the_host_decides_what_becomes_of_it(self, store: TableStore) -> None:
        """Inside a transaction of the host a conversion is done, or not, with all else in it."""
        before, outside = refs_of(HOST), store.owns_transaction
        with transaction.atomic("tests"):
            inside = store.owns_transaction
            converted(store)
            transaction.set_rollback(True, "tests")
        assert (True, False) == (outside, inside)
        assert (before, 1) == (refs_of(HOST), rows(Kept).count())
        with transaction.atomic("tests"):
            converted(store)
        assert ["CONVERTED"] == list(rows(LeadRow).values_list("stage", flat=True))

    def test_a_conflict_leaves_the_transaction_as_it_was(self, store: TableStore) -> None:
        """A refusal takes back to the savepoint, so that the host may go on."""
        [lead] = rows(LeadRow)
        late = Update(Ref("lead", str(lead.pk)), "9", {"title": "late"})
        new = Insert(Ref("deal", "D", provisional=True), {"title": "x"})
        with transaction.atomic("tests"):
            rows(LeadRow).update(title="by hand")
            with pytest.raises(ConflictError):
                store.apply(ChangeSet(key="k", fingerprint="f", changes=[new, late]))
            assert ["by hand"] == list(rows(LeadRow).values_list("title", flat=True))
        assert ([], ["by hand"]) == (list(rows(DealRow)), [row.title for row in rows(LeadRow)])


class TestTouched:
    def test_who_was_saved_by_hand_is_found(self, store: TableStore) -> None:
        """A row that a form has saved is found by its keys once the store has been told."""
        [contact], key = rows(ContactRow), MatchKey("email", "new@example.com")
        contact.custom = {"emails": [{"$channel": {"value": key.value}}]}
        contact.save()
        wanted = [Wanted(matches=(("contact", one),)) for one in (ADA, key)]
        assert [1, 0] == [len(store.load(one).records) for one in wanted]
        store.touched("contact", contact.pk)
        assert [0, 1] == [len(store.load(one).records) for one in wanted]

    def test_who_was_saved_by_hand_has_changed(self, store: TableStore) -> None:
        """A decision on the row as it was before comes too late."""
        [lead] = rows(LeadRow)
        store.touched("lead", lead.pk)
        late = Update(Ref("lead", str(lead.pk)), "1", {"title": "late"})
        with pytest.raises(ConflictError):
            store.apply(ChangeSet(key="k", fingerprint="f", changes=[late]))

    def test_a_signal_may_tell(self, store: TableStore) -> None:
        """Rows saved by hand send signals, and the store sends none, so it is never told twice."""
        told: list[int] = []

        def tell(instance: Any, **_: object) -> None:  # noqa: ANN401 - Django comes without types
            told.append(instance.pk)
            store.touched("lead", instance.pk)

        post_save.connect(tell, sender=LeadRow)
        try:
            [lead] = rows(LeadRow)
            lead.title = "by hand"
            lead.save()
            converted(store)
        finally:
            post_save.disconnect(tell, sender=LeadRow)
        assert ([lead.pk], 3) == (told, rows(LeadRow).get().revision)


class TestErrors:
    @pytest.mark.parametrize(
        ("cls", "state", "expected"),
        [
            (utils.IntegrityError, "23505", ConflictError),
            (utils.DataError, "22021", UnfitValueError),
            (utils.OperationalError, "40P01", ConflictError),
            (utils.OperationalError, "57P01", UnavailableError),
            (utils.OperationalError, None, UnavailableError),
            (utils.InterfaceError, None, UnavailableError),
            (utils.InternalError, "25P02", StoreError),
            (transaction.TransactionManagementError, None, StoreError),
        ],
    )
    def test_what_the_database_says_is_told_as_the_port_has_it(
        self, cls: type[Exception], state: str | None, expected: type[StoreError]
    ) -> None:
        """Whatever Django raises comes out as an error of a store, without the driver's words."""
        driver = Exception("the driver's own")
        driver.sqlstate = state  # type: ignore[attr-defined]
        with pytest.raises(StoreError) as caught, translated(utils):
            raise cls("secret") from driver
        assert expected is type(caught.value)
        assert "secret" not in str(caught.value)

    def test_a_broken_transaction_is_told(self, store: TableStore) -> None:
        """In a transaction that the host has broken nothing is read, and the host is told."""
        with transaction.atomic("tests"):
            transaction.set_rollback(True, "tests")
            with pytest.raises(StoreError):
                store.load(Wanted(refs=(Ref("lead", "1"),)))
