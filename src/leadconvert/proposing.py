"""Which columns of a table probably fill which fields of a lead: a proposal, never a decision.

A header is known by the id and the label of a field, or by a common name in English or German; how
its cells are written is seen in the first rows. What could be meant in two ways is left to a
person, with its candidates.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

import attrs

from leadconvert.cells import pieces
from leadconvert.columns import ID, Column, filled_by, names_of
from leadconvert.fields import Field, FieldType, MisfitError
from leadconvert.kinds import Kind
from leadconvert.rules import ConversionRules
from leadconvert.tables import Table


__all__ = ["Proposal", "propose"]

#: How many rows show how the cells of a column are written.
_SAMPLED: Final = 100
#: Each field by what people call it, in English and German, without spaces and marks.
_NAMES: Final[Mapping[str, str]] = {
    ID: "id leadid leadnr leadno leadnumber leadnummer recordid datensatzid",
    "stage": "stage status leadstatus phase",
    "title": "title titel name betreff subject lead leadname leadtitle leadtitel",
    "honorific": "honorific salutation anrede",
    "first_name": "firstname givenname forename vorname",
    "middle_name": "middlename zweitername",
    "last_name": "lastname surname familyname nachname familienname name",
    "birth_date": "birthdate birthday dateofbirth geburtsdatum geburtstag",
    "job_title": "jobtitle title titel position funktion role beruf stelle",
    "company_name": "company companyname organisation organization firma firmenname unternehmen"
    " account accountname name",
    "emails": "email emails mail emailaddress mailaddress emailadresse mailadresse",
    "phones": "phone phones phonenumber telephone telefon telefonnummer tel rufnummer",
    "websites": "website websites web url homepage webseite internet internetseite",
    "messengers": "messenger messengers im skype telegram whatsapp",
    "amount": "amount value opportunityamount dealvalue betrag wert umsatz auftragswert summe",
    "currency": "currency currencycode waehrung",
    "source": "source leadsource quelle leadquelle herkunft",
    "source_description": "sourcedescription quellenbeschreibung",
    "comments": "comment comments note notes description kommentar kommentare notiz notizen"
    " bemerkung bemerkungen beschreibung",
    "tags": "tag tags label labels schlagwort schlagworte schlagwoerter",
    "owner_id": "ownerid owner assignedto responsible verantwortlich verantwortlicher zustaendig"
    " bearbeiter betreuer",
    "created_at": "createdat createdon created createddate datecreated erstellt erstelltam"
    " erstelldatum angelegt angelegtam",
    "updated_at": "updatedat modifiedon modified lastmodifieddate geaendert geaendertam",
    "address.street": "street streetaddress addressline1 strasse strassehausnummer",
    "address.street_2": "street2 addressline2 adresszusatz strasse2",
    "address.city": "city town ort stadt wohnort",
    "address.postal_code": "postalcode postcode zip zipcode plz postleitzahl",
    "address.region": "region state bundesland kanton",
    "address.province": "province provinz",
    "address.country": "country land",
    "address.country_code": "countrycode laendercode isocode",
    "utm_source": "utmsource",
    "utm_medium": "utmmedium",
    "utm_campaign": "utmcampaign",
    "utm_content": "utmcontent",
    "utm_term": "utmterm",
}
#: What may be an id, or a number that every file begins anew.
_NUMBERS: Final = ("no", "nr", "number", "nummer")
#: What a channel is used for, by the words beside its name that say so.
_USES: Final[Mapping[str, str]] = {
    "work": "work business office buero arbeit beruflich dienstlich geschaeftlich",
    "home": "home private personal privat",
    "mobile": "mobile cell mobil handy",
    "fax": "fax",
}
#: What phones are called that are called by their use alone.
_PHONES: Final[Mapping[str, str]] = {
    "mobile": "mobile mobilephone cell cellphone mobil mobiltelefon mobilnummer handy handynummer",
    "fax": "fax faxnumber faxnummer telefax",
}
_UMLAUTS: Final = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})
_DAYS: Final = (
    *("%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y"),
    *("%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d"),
)
_TIMES: Final = ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
_MARKS: Final = (
    (".", None),
    (",", None),
    (".", ","),
    (",", "."),
    (".", "'"),
    (",", " "),
    (".", " "),
)
_SEPARATORS: Final = (";", "|", ",", "\n")
_ANSWERS: Final = (
    ("ja", "nein"),
    ("yes", "no"),
    ("wahr", "falsch"),
    ("1", "0"),
    ("j", "n"),
    ("y", "n"),
)
_MAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_URL: Final = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_PHONE: Final = re.compile(r"[^@]*[0-9][^@]*[0-9][^@]*[0-9][^@]*")
_CHANNELS: Final[Mapping[str, FieldType]] = {
    "emails": FieldType.EMAIL,
    "phones": FieldType.PHONE,
    "websites": FieldType.URL,
    "messengers": FieldType.MESSENGER,
}
#: What a channel looks like.
_LOOKS: Final = {FieldType.EMAIL: _MAIL, FieldType.URL: _URL, FieldType.PHONE: _PHONE}
#: What is known by its look alone.
_TELLING: Final = {FieldType.EMAIL, FieldType.URL}
#: How many values a person is asked to say the meaning of.
_MOST: Final = 20


@attrs.frozen
class Proposal:
    """What a column probably is: one way to read it if it is *sure*, or its candidates, or none.

    *why* says what a person is to decide.

    Example:
        >>> from leadconvert import Column
        >>> from leadconvert.proposing import Proposal
        >>> Proposal("Ort", (Column("Ort", "address.city"),)).sure
        True
    """

    header: str | None
    columns: tuple[Column, ...]
    why: str = ""

    @property
    def sure(self) -> bool:
        """Whether there is nothing to decide."""
        return not self.why

    def fills(self, field: str) -> bool:
        """Tell whether it surely fills *field*.

        Example:
            >>> from leadconvert import Column
            >>> from leadconvert.proposing import Proposal
            >>> Proposal("Ort", (Column("Ort", "address.city"),)).fills("title")
            False
        """
        return self.sure and self.columns[0].field == field


def propose(table: Table, *, rules: ConversionRules, prefix: str) -> tuple[Proposal, ...]:
    r"""Return what each column of a table probably is, by its header and its first rows.

    Where no column is surely the id, rows are numbered behind *prefix*.

    Example:
        >>> from io import BytesIO
        >>> from leadconvert import presets
        >>> from leadconvert.proposing import propose
        >>> from leadconvert.tables import Table
        >>> table = Table(BytesIO(b"Vorname;PLZ\nAda;50667\n"))
        >>> for one in propose(table, rules=presets.bitrix24(), prefix="FAIR-"):
        ...     print(one.columns[0])
        Vorname → first_name
        PLZ → address.postal_code
        the number of the row → id
    """
    rows = list(islice(table, _SAMPLED))
    found: list[Proposal] = []
    for index, header in enumerate(table.headers):
        cells = (row.cells[index] for row in rows if index < len(row.cells))
        samples = list(dict.fromkeys(filter(None, map(str.strip, cells))))
        if header:
            one = _proposal(header, samples, rules)
            if one.fills(ID) and len(samples) < len(rows):
                one = attrs.evolve(one, why="it is empty or repeated in some rows")
            found.append(one)
    found = [_alone(one, found, rules.lead) for one in found]
    if not any(one.fills(ID) for one in found):
        found.append(Proposal(None, (Column.numbered(prefix),)))
    if _amounts(found) and not any(one.fills("currency") for one in found):
        currency = Column(None, "currency", default="EUR")
        found.append(Proposal(None, (currency,), "say the currency of the amounts"))
    return tuple(found)


def _amounts(found: Iterable[Proposal]) -> bool:
    return any(one.fills("amount") for one in found)


def _alone(one: Proposal, every: Iterable[Proposal], lead: Kind) -> Proposal:
    """Leave it to a person where two columns are one."""
    if [other.header for other in every].count(one.header) > 1:
        return attrs.evolve(one, why="the header stands twice in the file, rename one")
    if not one.sure:
        return one
    name = str(one.columns[0].field)
    filled = filled_by(name, lead)
    if filled is not None and not filled.cell.multiple:
        for other in every:
            if other != one and other.fills(name):
                return attrs.evolve(one, why=f"so could {other.header}; keep one")
    return one


def _proposal(header: str, samples: Sequence[str], rules: ConversionRules) -> Proposal:
    named = _named(header, rules.lead)
    if not named:
        likely = [
            Column(header, name)
            for name, field in rules.lead.members.items()
            if _CHANNELS.get(name) is field.type in _TELLING and samples
            if _look_like(field.type, samples)
        ]
        if "".join(_plain(header)) in _NUMBERS:
            likely.append(Column(header, ID))
        return Proposal(header, tuple(likely), "no field is called so")
    ways = [_way(Column(header, name, use=use), samples, rules) for name, use in named.items()]
    if len(ways) == 1:
        return ways[0]
    columns = tuple(column for way in ways for column in way.columns)
    return Proposal(header, columns, "it could fill several fields")


def _plain(text: str) -> list[str]:
    """Return the words of a name as they compare: without case, accents and marks."""
    spelled = unicodedata.normalize("NFC", text).casefold().translate(_UMLAUTS)
    letters = unicodedata.normalize("NFKD", spelled)
    bare = "".join(one for one in letters if not unicodedata.combining(one))
    return re.findall(r"[^\W_]+", bare)


def _named(header: str, lead: Kind) -> dict[str, str | None]:
    """Return the fields that go by such a header, each with the use it says."""
    words = _plain(header)
    name = "".join(words)
    found: dict[str, str | None] = {
        field: None for field in names_of(lead) if name in _called(field, lead)
    }
    for called, names in _PHONES.items():
        if name in names.split() and "phones" in lead.members:
            found["phones"] = called
    if found:
        return found
    uses = {word: use for use, names in _USES.items() for word in names.split()}
    said = {uses[word] for word in words if word in uses}
    name = "".join(word for word in words if word not in uses and not word.isdigit())
    use = said.pop() if len(said) == 1 else None
    channels = (field for field in names_of(lead) if field in _CHANNELS)
    return {field: use for field in channels if name in _called(field, lead)}


def _called(name: str, lead: Kind) -> set[str]:
    """Return what people call a field, as `_plain` has it."""
    found = {*_NAMES.get(name, "").split(), "".join(_plain(name))}
    filled = filled_by(name, lead)
    field = lead.members.get(name)
    if field is not None:
        # what refers to a record is called like it, but holds its id
        id_ = ["id"] if field.type is FieldType.REFERENCE else []
        found.add("".join([*_plain(field.label), *id_]))
    elif filled is not None and filled.part is not None:
        label = lead.members[filled.id].label
        found.add("".join([*_plain(label), *_plain(filled.part)]))
    return found


def _way(column: Column, samples: Sequence[str], rules: ConversionRules) -> Proposal:
    """Return how the cells of a column are to be read, as far as its first rows show it."""
    filled = filled_by(str(column.field), rules.lead)
    field = Field("cell", FieldType.TEXT) if filled is None else filled.cell
    used = [one for one in _SEPARATORS if field.multiple and any(one in cell for cell in samples)]
    if used and field.type is not FieldType.URL:
        column = attrs.evolve(column, separator=used[0])
        if len(used) > 1:
            return Proposal(column.header, (column,), "say what separates its values")
    if (known := _known(column, field, rules)) is not None:
        return _meant(column, known, samples)
    return _seen(column, field, samples)


def _seen(column: Column, field: Field, samples: Sequence[str]) -> Proposal:
    """Return how the cells of a column are written, whatever stands in them."""
    header = column.header
    ways: dict[object, Column] = {}
    for way in _written(column, field.type, samples):
        try:
            values = tuple(way.read(cell, field) for cell in samples)
        except MisfitError:
            continue
        # numbers read alike are alike; days read alike may be so by chance
        ways.setdefault(way if way.format else values, way)
    columns = tuple(ways.values())
    if not columns:
        return Proposal(header, (column,), "its values are written in an unknown way")
    if len(columns) > 1 and samples:
        return Proposal(header, columns, "its values can be read in several ways")
    if columns[0].zone is not None:
        return Proposal(header, columns[:1], "say the time zone of its moments")
    if not _look_like(field.type, [p for one in samples for p in pieces(one, column.separator)]):
        return Proposal(header, columns[:1], "its values look like something else")
    return Proposal(header, columns[:1])


def _look_like(type_: FieldType, samples: Iterable[str]) -> bool:
    look = _LOOKS.get(type_)
    return look is None or all(look.fullmatch(one) for one in samples)


def _known(column: Column, field: Field, rules: ConversionRules) -> Mapping[str, str | None] | None:
    """Return the ids that a cell may hold, each with its label, if there is a list of them."""
    if field.type is FieldType.ENUMERATION:
        return {option.id: option.label for option in field.options}
    if column.field == rules.lead.stage:
        return {stage.id: stage.label for stage in rules.lead_pipeline.stages}
    if column.field == rules.lead.owner and not str(column.header).lower().endswith("id"):
        return {}
    return None


def _meant(column: Column, known: Mapping[str, str | None], samples: Sequence[str]) -> Proposal:
    """Leave it to a person to say which id a value means."""
    every = dict.fromkeys(one for cell in samples for one in pieces(cell, column.separator))
    if known.keys() >= every.keys():
        return Proposal(column.header, (column,))
    labels = {"".join(_plain(label)): id_ for id_, label in known.items() if label is not None}
    values = {one: labels.get("".join(_plain(one)), one) for one in islice(every, _MOST)}
    ids = f": {', '.join(known)}" if known else ""
    why = f"say the id that each value means{ids}"
    return Proposal(column.header, (attrs.evolve(column, values=values),), why)


def _written(column: Column, type_: FieldType, samples: Sequence[str]) -> Iterator[Column]:
    """Yield every way in which the cells of a column may be written, the plainest first."""
    yield column
    if type_ is FieldType.DATE:
        yield from (attrs.evolve(column, format=form) for form in _DAYS)
    elif type_ is FieldType.DATETIME:
        yield attrs.evolve(column, zone="UTC")
        for form in (f"{day}{time}" for day in _DAYS for time in _TIMES):
            yield attrs.evolve(column, format=form, zone="UTC")
    elif type_ in {FieldType.INTEGER, FieldType.DECIMAL, FieldType.MONEY}:
        for mark, thousands in _MARKS:
            yield attrs.evolve(column, decimal=mark, thousands=thousands)
    elif type_ is FieldType.BOOLEAN:
        yield from _answers(column, samples)


def _answers(column: Column, samples: Sequence[str]) -> Iterator[Column]:
    for yes, no in _ANSWERS:
        spelled = {one.casefold(): one for one in samples}
        if spelled.keys() <= {yes, no}:
            like = next(iter(spelled.values()), yes)
            style = str.upper if like.isupper() else str.title if like.istitle() else str.lower
            values = {spelled.get(yes, style(yes)): "true", spelled.get(no, style(no)): "false"}
            yield attrs.evolve(column, values=values)
    if {one.casefold() for one in samples} == {"x"}:
        values = dict.fromkeys(samples, "true")
        yield attrs.evolve(column, values=values, default="false")
