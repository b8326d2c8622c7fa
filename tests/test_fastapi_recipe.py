"""The recipe for FastAPI: a service that converts, and a store in a session of its host."""
from contextlib import contextmanager
from typing import Any, Final
import sqlalchemy as sa
from sqlalchemy.orm import Session, mapped_column
from sqlalchemy.pool import StaticPool
from docs.recipes.fastapi_app import Base, Kept, Found, SessionTables, Stored, listen
from docs.recipes.tables import TableStore
from leadconvert import Event, Ref, Kind
from leadconvert.codec import Codec
from leadconvert.testing import Opened, StoreContract

COLUMNS: Final = {
    "text": sa.Text(), "enumeration": sa.String(20), "integer": sa.BigInteger(), "boolean": sa.Boolean(), "date": sa.Date(), "reference": sa.BigInteger(),
}
def model_of(kind):
    columns = {
        name: mapped_column(COLUMNS[field.type], nullable=True)
        for name, field in kind.members.items()
        if field.type in COLUMNS and not field.multiple
    }
    return type(kind.id.title(), (Stored, Base), {"__tablename__": f"contract_{kind.id}", **columns})
MODELS = {kind.id: model_of(kind) for kind in StoreContract.rules.every_kind}

def engine():
    made = sa.create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    listen(made)
    Base.metadata.create_all(made)
    return made

class TestFastapi(StoreContract):
    shared = False
    examples = 5
    engine = engine()

    @contextmanager
    def open_store(self):
        with Session(self.engine) as session:
            codec = Codec(self.rules)
            def refs():
                return [Ref(kind, str(one)) for kind, model in MODELS.items() for one in session.scalars(sa.select(model.id))]
            def events():
                return [codec.from_data(one, Event) for one in session.scalars(sa.select(Kept.data).where(Kept.shelf=="Event").order_by(Kept.id))]
            yield Opened(TableStore(self.rules, SessionTables(session, MODELS)), refs, events)
            session.rollback()
