"""Values that a store is tried with: text, amounts, moments, and a record of every kind."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

from leadconvert import (
    Address,
    Channel,
    Company,
    Contact,
    Deal,
    GenericRecord,
    Lead,
    Product,
    Record,
)
from leadconvert.testing._contract_rules import Visit


__all__ = ["CUSTOM", "DECIMALS", "MOMENTS", "STRANGE", "TEXTS", "full"]

#: What people write; a store holds every one of these.
TEXTS: Final = (
    "Zoë Ångström-Çelik",
    "日本語 العربية עברית ไทย",
    "👩🏽‍💻 🇬🇷 🦄 \U0001d54f",
    "e\u0301 is not \u00e9, \u200bnor is this nothing",
    "  blanks around, a tab\t, two\nlines\r\nand a\rthird  ",
    "'quotes' \"of\" `sorts`; -- % _ \\ \\n %s {x} $1 ? :x \\u0041",
    "null",
    "0012.50",
    "x" * 3000,
)
#: What some storages have no place for: they hold it as it is, or refuse it.
STRANGE: Final = ("a\x00b", "\ud800", "\x1b\x7f\ufffe\uffff", "long " * 40_000)
DECIMALS: Final = tuple(
    map(Decimal, ("0.1", "-0.01", "1234567890123456.78", "0.00", "5000", "3E+3", "99.995"))
)
MOMENTS: Final = (
    datetime(2027, 1, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2027, 6, 1, 0, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))),
    datetime(2027, 1, 31, 20, 15, 0, 1, tzinfo=timezone(timedelta(hours=-8))),
    datetime(1999, 12, 31, 23, 0, tzinfo=timezone(timedelta(hours=-1))),
)
PLACE: Final = Address(street="1 St", city="Köln", postal_code="050", country_code="DE", region="")
PRODUCT: Final = Product(
    name="Engine", price=Decimal("99.50"), quantity=Decimal("0.3333"), tax_percent=Decimal("7.25")
)
CUSTOM: Final[Mapping[str, object]] = {
    "UF_TEXT": "said",
    "UF_COUNT": -7,
    "UF_RATIO": Decimal("0.1"),
    "UF_BUDGET": Decimal("1234567890123456.78"),
    "UF_FLAG": False,
    "UF_DAY": date(2027, 1, 31),
    "UF_MOMENT": MOMENTS[1],
    "UF_HEAT": "hot",
    "UF_PLACE": PLACE,
    "UF_FILE": "file-1",
    "UF_TAGS": ("b", "a", "b"),
    "UF_DAYS": (date(2027, 2, 1), date(2027, 1, 31)),
    "UF_RATIOS": (Decimal("0.3"), Decimal("0.1")),
}


def full() -> Iterator[Record]:
    """Yield a record of every kind with every field filled that refers to nothing."""
    phones = [Channel("+49 30 123456", "work"), Channel("030 99999")]
    emails = [Channel("b@example.com", "home"), Channel("a@example.com")]
    yield Lead(
        id="L-1",
        stage="WORK",
        stage_description="called",
        title="Engine",
        honorific="Dr",
        first_name="Ada",
        middle_name="K",
        last_name="Lovelace",
        birth_date=date(1815, 12, 10),
        job_title="Countess",
        company_name="Engines",
        phones=phones,
        emails=emails,
        websites=[Channel("https://example.com/?a=b#c", "work")],
        messengers=[Channel("@ada")],
        amount=Decimal("5000.10"),
        currency="EUR",
        products=[PRODUCT, Product(name="Oil", price=Decimal(-3), product_id="P-1"), PRODUCT],
        source="WEB",
        source_description="form",
        created_at=MOMENTS[0],
        created_by_id="u-1",
        updated_at=MOMENTS[2],
        owner_id="u-7",
        observer_ids=["u-9", "u-8"],
        opened=False,
        comments="Said:\n  maybe",
        tags=["z", "a"],
        address=PLACE,
        originator_id="shop",
        origin_id="0017",
        utm_source="s",
        utm_medium="m",
        utm_campaign="c",
        utm_content="t",
        utm_term="k",
        custom=CUSTOM,
    )
    yield Contact(
        id="C-1",
        last_name="Lovelace",
        birth_date=date(1815, 12, 10),
        phones=phones,
        emails=emails,
        opened=True,
        tags=["z", "a"],
        address=PLACE,
        custom=CUSTOM,
    )
    yield Company(
        id="CO-1", name="Engines", phones=phones, address=PLACE, custom={"UF_SIZE": 2**40}
    )
    yield Deal(
        id="D-1",
        title="Engine",
        pipeline="sales",
        stage="open",
        type="SALE",
        begin_date=date(2027, 1, 31),
        close_date=date(2027, 2, 28),
        amount=Decimal("5000.10"),
        currency="EUR",
        products=[PRODUCT],
        custom=CUSTOM,
    )
    yield Visit(
        id="V-1", place="London", hours=None, starts_at=MOMENTS[1], keywords=("b", "a", "b")
    )
    invoice: dict[str, object] = {
        "number": "2027-001",
        "total": Decimal("0.10"),
        "currency": "EUR",
        "count": 0,
        "paid": False,
        "issued": date(2027, 1, 31),
        "sent_at": MOMENTS[2],
        "place": PLACE,
        "phones": tuple(phones),
        "lines": (PRODUCT, PRODUCT),
    }
    yield GenericRecord(kind="invoice", id="I-1", custom=invoice)
    task = {"subject": "call", "completed": False, "due": MOMENTS[3]}
    yield GenericRecord(kind="task", id="T-1", custom=task)
    yield GenericRecord(kind="note", id="N-1", custom={"text": "called\ntwice"})
    yield GenericRecord(kind="attachment", id="A-1", custom={"file": "file-1"})
