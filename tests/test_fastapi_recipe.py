"""The recipe for FastAPI: a service that converts, in a session of SQLAlchemy's that it owns."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import attrs
import httpx
import pytest
import sqlalchemy as sa
from docs.recipes.fastapi_app import (
    Base,
    Kept,
    SessionTables,
    Stored,
    create_app,
    listen,
)
from docs.recipes.tables import TableStore, translated
from fastapi import FastAPI
from sqlalchemy.orm import Mapped, Session, mapped_column, sessionmaker
from sqlalchemy.pool import StaticPool

from leadconvert import (
    Actor,
    ChangeSet,
    Channel,
    Company,
    Contact,
    Event,
    FieldType,
    Insert,
    Kind,
    Lead,
    Matching,
    MatchRule,
    Ref,
    Update,
    Wanted,
    presets,
    seed,
)
from leadconvert.codec import Codec
from leadconvert.errors import ConflictError, StoreError, UnavailableError, UnfitValueError
from leadconvert.testing import Opened, StoreContract


#: What the contract's fields are kept in. SQLite has no exact numbers, and SQLAlchemy takes the
#: time zone off a moment there, so these go without.
COLUMNS: Final[Mapping[FieldType, sa.types.TypeEngine[Any]]] = {
    FieldType.TEXT: sa.Text(),
    FieldType.ENUMERATION: sa.Text(),
    FieldType.INTEGER: sa.BigInteger(),
    FieldType.BOOLEAN: sa.Boolean(),
    FieldType.DATE: sa.Date(),
    FieldType.REFERENCE: sa.BigInteger(),
}


def model_of(kind: Kind) -> Any:  # noqa: ANN401 - a model as it could be written
    """Return a model with a column for each field that one can hold."""
    columns = {
        name: mapped_column(COLUMNS[field.type], nullable=True)
        for name, field in kind.members.items()
        if field.type in COLUMNS and not field.multiple
    }
    return type(kind.id, (Stored, Base), {"__tablename__": f"contract_{kind.id}", **columns})


MODELS: Final = {kind.id: model_of(kind) for kind in StoreContract.rules.every_kind}


class LeadRow(Stored, Base):
    __tablename__ = "test_lead"
    stage: Mapped[str]
    title: Mapped[str | None]


class CompanyRow(Stored, Base):
    __tablename__ = "test_company"
    name: Mapped[str | None]


class ContactRow(Stored, Base):
    __tablename__ = "test_contact"
    last_name: Mapped[str | None]


class DealRow(Stored, Base):
    __tablename__ = "test_deal"
    title: Mapped[str | None]
    opened: Mapped[int | None]  # which is no boolean
    company_id: Mapped[int | None] = mapped_column(sa.ForeignKey("test_company.id"))


HOST: Final = {"lead": LeadRow, "company": CompanyRow, "contact": ContactRow, "deal": DealRow}
RULES: Final = attrs.evolve(
    presets.bitrix24(), children=[], matching=Matching([MatchRule("contact", ["email"])])
)


def engine() -> sa.Engine:
    """Return a database in memory, which threads share."""
    made = sa.create_engine(
        "sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    listen(made)
    Base.metadata.create_all(made)
    return made


def refs_of(session: Session, models: Mapping[str, Any]) -> list[Ref]:
    """Return every record that there is."""
    return [
        Ref(kind, str(id_))
        for kind, model in models.items()
        for id_ in session.scalars(sa.select(model.id))
    ]


class TestSessionStore(StoreContract):
    shared = False
    examples = 5
    engine = engine()

    @contextmanager
    def open_store(self) -> Iterator[Opened]:
        """A store in a transaction of its host, which is undone."""
        codec = Codec(self.rules)
        kept = sa.select(Kept.data).where(Kept.shelf == "Event").order_by(Kept.id)
        with Session(self.engine) as session:
            yield Opened(
                TableStore(self.rules, SessionTables(session, MODELS)),
                lambda: refs_of(session, MODELS),
                lambda: [codec.from_data(one, Event) for one in session.scalars(kept)],
            )


@pytest.fixture
def sessions() -> Iterator[sessionmaker[Session]]:
    """Sessions of a database with a lead, number 1, and with somebody who has its e-mail."""
    made = engine()
    emails = [Channel("ada@example.com")]
    lead = Lead(id="L-1", stage="NEW", title="Engine", emails=emails, company_name="Engines")
    records = [lead, Contact(id="C-1", emails=emails)]
    factory = sessionmaker(made)
    with factory.begin() as session:
        TableStore(RULES, SessionTables(session, HOST)).apply(seed(records, rules=RULES))
    yield factory
    made.dispose()


def stages(sessions: sessionmaker[Session]) -> list[str]:
    """Return what stands in the database."""
    with sessions() as session:
        return list(session.scalars(sa.select(LeadRow.stage)))


def service(sessions: sessionmaker[Session], actor: Actor | None = None) -> FastAPI:
    """Return the service, which the actor alone asks."""
    return create_app(sessions, RULES, HOST, who=lambda: actor or Actor("u-1", roles=["admin"]))


def post(app: FastAPI, body: object, key: str | None = None, lead: str = "1") -> httpx.Response:
    """Ask the service, as a client would."""

    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://crm.example") as client:
            headers = {"Content-Type": "application/json"}
            headers |= {} if key is None else {"Idempotency-Key": key}
            content = body if isinstance(body, str) else json.dumps(body)
            return await client.post(f"/leads/{lead}/conversion", content=content, headers=headers)

    return asyncio.run(asked())


DEAL_ONLY: Final = {"into": [{"kind": "deal"}]}


def with_amount(amount: object) -> dict[str, object]:
    """Return a target as it is asked for."""
    return {"kind": "deal", "values": {"amount": amount}}


class TestConverting:
    def test_a_lead_is_converted(self, sessions: sessionmaker[Session]) -> None:
        """One request converts; what it made stands in the tables, under ids of the database."""
        body = {"into": [{"kind": "company"}, {"kind": "contact"}, {"kind": "deal"}]}
        answer = post(service(sessions), body)
        expected = {
            "lead": {"id": "1", "stage": "CONVERTED"},
            "made": [
                {"kind": "company", "id": "1", "action": "created"},
                {"kind": "contact", "id": "1", "action": "merged"},
                {"kind": "deal", "id": "1", "action": "created"},
            ],
        }
        assert (200, expected) == (answer.status_code, answer.json())
        with sessions() as session:
            [deal] = session.scalars(sa.select(DealRow))
        assert ("Engine", 1) == (deal.title, deal.company_id)

    def test_values_are_taken(self, sessions: sessionmaker[Session]) -> None:
        """Values for a target and for the lead itself come with the request."""
        body = {
            "into": [{"kind": "deal", "values": {"title": "Second engine"}}],
            "values": {"comments": "by phone"},
        }
        assert 200 == post(service(sessions), body).status_code
        with sessions() as session:
            [deal], [lead] = (
                session.scalars(sa.select(DealRow)),
                session.scalars(sa.select(LeadRow)),
            )
        assert ("Second engine", "by phone") == (deal.title, lead.custom["comments"])

    def test_a_key_is_for_one_request(self, sessions: sessionmaker[Session]) -> None:
        """The same again gives the same answer; something else under the key is refused."""
        app = service(sessions)
        first, again = post(app, DEAL_ONLY, "k"), post(app, DEAL_ONLY, "k")
        other = post(app, {"into": [{"kind": "contact"}]}, "k")
        assert (200, first.json()["lead"]) == (again.status_code, again.json()["lead"])
        assert [one["id"] for one in first.json()["made"]] == [
            one["id"] for one in again.json()["made"]
        ]
        assert (422, "urn:leadconvert:key-used-for-another-request") == (
            other.status_code,
            other.json()["type"],
        )
        with sessions() as session:
            assert 1 == session.scalar(sa.select(sa.func.count()).select_from(DealRow))

    def test_a_key_is_for_one_person(self, sessions: sessionmaker[Session]) -> None:
        """Who has heard of another's key learns nothing by it."""
        post(service(sessions), DEAL_ONLY, "k")
        answer = post(service(sessions, Actor("u-2", roles=["admin"])), DEAL_ONLY, "k")
        assert "urn:leadconvert:already-converted" == answer.json()["type"]


class TestRefusing:
    @pytest.mark.parametrize(
        ("expected", "asked"),
        [
            ((404, "record-not-found", []), ("admin", "7", DEAL_ONLY)),
            ((403, "access-denied", [""] * 4), ("nobody", "1", DEAL_ONLY)),
            ((422, "targets-required", [""]), ("admin", "1", {"into": []})),
            ((422, "unknown-target", ["/into/0"]), ("admin", "1", {"into": [{"kind": "dael"}]})),
            (
                (422, "invalid-fields", ["/into/1/values/amount"]),
                ("admin", "1", {"into": [{"kind": "contact"}, with_amount("much")]}),
            ),
        ],
    )
    def test_a_refusal_is_a_problem_document(
        self,
        sessions: sessionmaker[Session],
        expected: tuple[int, str, list[str]],
        asked: tuple[str, str, object],
    ) -> None:
        """A refusal says by its type what is wrong, and points to where; nothing is written."""
        (status, type_, pointers), (role, lead, body) = expected, asked
        answer = post(service(sessions, Actor("u-1", roles=[role])), body, lead=lead)
        told = answer.json()
        assert "application/problem+json" == answer.headers["content-type"]
        assert (status, status) == (answer.status_code, told["status"])
        assert f"urn:leadconvert:{type_}" == told["type"]
        assert pointers == [one["pointer"] for one in told["errors"]]
        assert ["NEW"] == stages(sessions)

    def test_a_lead_is_converted_once(self, sessions: sessionmaker[Session]) -> None:
        """Another request for a lead that is converted is a conflict."""
        app = service(sessions)
        post(app, DEAL_ONLY)
        answer = post(app, {"into": [{"kind": "contact"}]})
        assert (409, "Already converted") == (answer.status_code, answer.json()["title"])

    def test_a_pointer_leads_into_the_request(self, sessions: sessionmaker[Session]) -> None:
        """Whoever follows a pointer finds the value that is refused, which is told nowhere."""
        body = {"into": [with_amount("a secret")]}
        answer = post(service(sessions), body)
        [pointer] = [one["pointer"] for one in answer.json()["errors"]]
        found: Any = body
        for step in pointer.split("/")[1:]:
            found = found[int(step) if isinstance(found, list) else step]
        assert "a secret" == found
        assert "secret" not in answer.text

    def test_half_a_character_is_sent_back(self, sessions: sessionmaker[Session]) -> None:
        """A field that nobody can spell is refused as any other."""
        body = '{"into": [{"kind": "deal", "values": {"\\ud800": "x"}}]}'
        answer = post(service(sessions), body)
        [told] = answer.json()["errors"]
        assert (422, "/into/0/values/\ud800") == (answer.status_code, told["pointer"])

    def test_what_is_no_request_is_fastapi_s_to_refuse(
        self, sessions: sessionmaker[Session]
    ) -> None:
        """A float, which is not exact, never reaches a decision."""
        answer = post(service(sessions), {"into": [with_amount(0.1)]})
        assert (422, "application/json") == (answer.status_code, answer.headers["content-type"])


class TestSession:
    def test_the_host_decides_what_becomes_of_it(self, sessions: sessionmaker[Session]) -> None:
        """What the store has written is undone with all else of the session."""
        with sessions() as session:
            store = TableStore(RULES, SessionTables(session, HOST))
            store.apply(seed([Company(id="CO-1", name="Engines")], rules=RULES))
            session.rollback()
        with sessions() as session:
            assert [] == list(session.scalars(sa.select(CompanyRow)))

    def test_a_conflict_leaves_the_session_as_it_was(self, sessions: sessionmaker[Session]) -> None:
        """A refusal takes back to the savepoint, so that the host may go on."""
        late = Update(Ref("lead", "1"), "9", {"title": "late"})
        new = Insert(Ref("deal", "D", provisional=True), {"title": "x"})
        with sessions.begin() as session:
            session.add(CompanyRow(name="by hand"))
            store = TableStore(RULES, SessionTables(session, HOST))
            with pytest.raises(ConflictError):
                store.apply(ChangeSet(key="k", fingerprint="f", changes=[new, late]))
        with sessions() as session:
            assert ["company", "contact", "lead"] == sorted(
                ref.kind for ref in refs_of(session, HOST)
            )

    def test_what_the_host_has_not_flushed_is_there(self, sessions: sessionmaker[Session]) -> None:
        """What the session holds is decided on, though its host never flushes by itself."""
        with sessions(autoflush=False) as session:
            store = TableStore(RULES, SessionTables(session, HOST))
            lead = session.get_one(LeadRow, 1)
            lead.title = "by hand"
            [record] = store.load(Wanted(refs=(Ref("lead", "1"),))).records
        assert isinstance(record, Lead)
        assert "by hand" == record.title

    def test_objects_of_the_host_follow(self, sessions: sessionmaker[Session]) -> None:
        """An object that the host has loaded says what the store has written."""
        with sessions() as session:
            lead = session.get_one(LeadRow, 1)
            store = TableStore(RULES, SessionTables(session, HOST))
            changes = [Update(Ref("lead", "1"), "1", {"title": "New"})]
            store.apply(ChangeSet(key="k", fingerprint="f", changes=changes))
            assert ("New", 2) == (lead.title, lead.revision)

    def test_what_a_column_would_change_is_refused(self, sessions: sessionmaker[Session]) -> None:
        """A column that gives back something else than it was given is noticed."""
        new = Ref("deal", "D", provisional=True)
        asked = ChangeSet(key="k", fingerprint="f", changes=[Insert(new, {"opened": True})])
        with sessions() as session, pytest.raises(UnfitValueError):
            TableStore(RULES, SessionTables(session, HOST)).apply(asked)

    @pytest.mark.parametrize(
        ("cls", "state", "expected"),
        [
            (sa.exc.IntegrityError, "23505", ConflictError),
            (sa.exc.DataError, "22021", UnfitValueError),
            (sa.exc.OperationalError, "40001", ConflictError),
            (sa.exc.OperationalError, "57P01", UnavailableError),
            (sa.exc.InterfaceError, None, UnavailableError),
            (sa.exc.ProgrammingError, "42P01", StoreError),
        ],
    )
    def test_what_the_database_says_is_told_as_the_port_has_it(
        self, cls: type[sa.exc.DBAPIError], state: str | None, expected: type[StoreError]
    ) -> None:
        """Whatever SQLAlchemy raises comes out as an error of a store, without its words."""
        driver = Exception("a secret")
        driver.sqlstate = state  # type: ignore[attr-defined]
        with pytest.raises(StoreError) as caught, translated(sa.exc):
            raise cls("INSERT", {}, driver) from driver
        assert expected is type(caught.value)
        assert "secret" not in str(caught.value)
