"""The rules that a store under test is made for: every sort of kind, field and claim there is."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import attrs

from leadconvert import (
    ChildRule,
    ConversionRules,
    Field,
    FieldMapping,
    FieldType,
    FrozenMap,
    Kind,
    Matching,
    MatchRule,
    Pipeline,
    Policy,
    Stage,
)
from leadconvert.kinds import COMPANY, CONTACT, DEAL, LEAD


__all__ = ["RULES", "Visit"]


@attrs.frozen(kw_only=True)
class Visit:
    """A class of records as a user might write it; a visit takes an hour unless it says otherwise.

    Example:
        >>> from leadconvert.testing import Visit
        >>> Visit(id="V-1", place="London").hours
        1
    """

    id: str
    place: str
    revision: str | None = None
    hours: int | None = 1
    starts_at: datetime | None = None
    contact_id: str | None = None
    company_id: str | None = None
    keywords: tuple[str, ...] = ()
    converted_from: tuple[str, ...] = ()
    custom: Mapping[str, object] = attrs.field(factory=FrozenMap, converter=FrozenMap[object])


def _refers(name: str, to: str, *, multiple: bool = False) -> Field:
    return Field(name, FieldType.REFERENCE, to=to, multiple=multiple)


_BACK: Final = _refers("converted_from", "lead", multiple=True)
#: One field of every type that is nothing but data, and some that hold several values.
_CUSTOM: Final = (
    Field("UF_TEXT", "text"),
    Field("UF_COUNT", "integer"),
    Field("UF_RATIO", "decimal"),
    Field("UF_BUDGET", "money"),
    Field("UF_FLAG", "boolean"),
    Field("UF_DAY", "date"),
    Field("UF_MOMENT", "datetime"),
    Field("UF_HEAT", "enumeration", options=["cold", "hot"]),
    Field("UF_PLACE", "address"),
    Field("UF_FILE", "file"),
    Field("UF_TAGS", "text", multiple=True),
    Field("UF_DAYS", "date", multiple=True),
    Field("UF_RATIOS", "decimal", multiple=True),
)
_DEAL: Final = attrs.evolve(
    DEAL,
    custom=[
        *_CUSTOM,
        _refers("UF_PAYER", "company"),
        _refers("UF_PARTNERS", "contact", multiple=True),
    ],
)
_VISIT: Final = Kind(
    "visit",
    Visit,
    fields=[_refers("contact_id", "contact"), _refers("company_id", "company"), _BACK],
    name="place",
)
_INVOICE: Final = Kind(
    "invoice",
    fields=[
        Field("number", "text", required=True),
        Field("total", "money", currency="currency"),
        Field("currency", "text"),
        Field("count", "integer"),
        Field("paid", "boolean"),
        Field("issued", "date"),
        Field("sent_at", "datetime"),
        Field("place", "address"),
        Field("phones", "phone", multiple=True),
        Field("lines", "product", multiple=True),
        _refers("company_id", "company"),
        _refers("payer_id", "company"),
        _refers("deal_ids", "deal", multiple=True),
        _BACK,
    ],
)
_TASK: Final = Kind(
    "task",
    fields=[
        Field("subject", "text", required=True),
        Field("completed", "boolean"),
        Field("due", "datetime"),
        _refers("lead_id", "lead"),
        _refers("deal_id", "deal"),
    ],
)
_NOTE: Final = Kind(
    "note",
    fields=[
        Field("text", "text"),
        _refers("lead_ids", "lead", multiple=True),
        _refers("contact_ids", "contact", multiple=True),
    ],
)
_ATTACHMENT: Final = Kind(
    "attachment",
    fields=[Field("file", "file"), _refers("lead_id", "lead"), _refers("deal_id", "deal")],
)

#: What `leadconvert.testing.StoreContract` makes its stores for.
RULES: Final = ConversionRules(
    lead=attrs.evolve(LEAD, custom=_CUSTOM),
    kinds=[
        attrs.evolve(CONTACT, custom=_CUSTOM),
        attrs.evolve(COMPANY, custom=[Field("UF_SIZE", "integer")]),
        _DEAL,
        _VISIT,
        _INVOICE,
    ],
    children=[
        ChildRule(_TASK, {"deal": "move"}, close={"completed": True}),
        ChildRule(_NOTE, {"contact": "share"}),
        ChildRule(_ATTACHMENT, {"deal": "copy"}),
    ],
    pipelines=[
        Pipeline(
            "leads", "lead", ["NEW", "WORK", Stage("DONE", "success"), Stage("JUNK", "failure")]
        ),
        Pipeline("sales", "deal", ["open", Stage("won", "success"), Stage("lost", "failure")]),
    ],
    mappings=[
        FieldMapping("first_name", "contact"),
        FieldMapping("last_name", "contact"),
        FieldMapping("job_title", "contact"),
        FieldMapping("emails", "contact", conflict="append"),
        FieldMapping("phones", "contact", conflict="append"),
        FieldMapping("tags", "contact", conflict="append"),
        FieldMapping("UF_MOMENT", "contact"),
        FieldMapping("company_name", "company", "name"),
        FieldMapping("title", "deal"),
        FieldMapping("amount", "deal"),
        FieldMapping("currency", "deal"),
        FieldMapping("products", "deal"),
        FieldMapping("UF_RATIO", "deal"),
        FieldMapping("UF_TAGS", "deal"),
        FieldMapping("title", "visit", "place"),
        FieldMapping("title", "invoice", "number"),
    ],
    policy=Policy.allow_all(),
    matching=Matching(
        [
            MatchRule("contact", ["email", ["phone", "person"]], "merge"),
            MatchRule("company", ["company"], "link"),
        ]
    ),
)
