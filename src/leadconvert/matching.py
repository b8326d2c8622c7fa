"""Who is known already: normalised keys of a record, and what follows where a record shares them.

A key that is empty matches nothing. A record matches by whole keys, never by a part of one.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Final, Literal, Protocol

import attrs
from attrs import validators

from leadconvert.errors import chosen
from leadconvert.fields import FieldType
from leadconvert.given import is_a, texts
from leadconvert.kinds import Kind
from leadconvert.problems import Problem, mistake, unknown
from leadconvert.records import Record
from leadconvert.values import Channel


__all__ = [
    "Exceptions",
    "Match",
    "MatchKey",
    "MatchRule",
    "Matching",
    "Normalizer",
    "Plain",
    "Then",
    "keys_of",
    "match_mistakes",
]

#: The shortest run of digits that is a phone number to us.
_SHORTEST_PHONE: Final = 5
#: A number as people write it: a plus before the first digit, no letter after it.
_NUMBER: Final = re.compile(r"(\+?)[^\w+]*(\d[\d\W_]*)")
#: What parts the words of a name without marks.
_NO_WORD: Final = re.compile(r"[^a-z0-9]")
#: What people write for one and the same apostrophe: typographic, turned, modified, primed, full
#: width, Armenian, Hebrew, and the saltillo.
_APOSTROPHES: Final = str.maketrans(
    dict.fromkeys(
        "'`\u00b4\u02b9\u02bb\u02bc\u02bd\u055a\u05f3\u2018\u2019\u201b\u2032\ua78c\uff07\uff40"
    )
)
#: What Unicode says shows nothing, beside the characters of category Cf: joiners, fillers,
#: selectors of a variant.
_UNSEEN: Final = frozenset(
    map(chr, (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0))
) | frozenset(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
#: The combining classes of accents and points, which people leave out. A mark of any other class is
#: a vowel, a tone or another consonant: without it a name is somebody else's.
_ACCENTS: Final = frozenset((1, *range(10, 37), *range(200, 241)))


@attrs.frozen(order=True)
class MatchKey:
    """One thing to know a record by: what sort it is, such as ``email``, and its normal form.

    Example:
        >>> from leadconvert import MatchKey
        >>> MatchKey("email", "ada@example.com").type
        'email'
    """

    type: str
    value: str


#: Tells whether two keys of one sort stand for the same, though they are not equal.
Same = Callable[[MatchKey, MatchKey], bool]


class Normalizer(Protocol):
    """Brings what people write into one form, or returns None where it is no such thing.

    Example:
        >>> from leadconvert import Normalizer, Plain
        >>> normalizer: Normalizer = Plain()
        >>> normalizer.email(" Ada@Example.COM ")
        'ada@example.com'
    """

    def email(self, value: str, /) -> str | None:
        """Return the normal form of an e-mail address, or None if it is none."""
        ...

    def phone(self, value: str, /) -> str | None:
        """Return the normal form of a phone number, or None if it is none."""
        ...

    def name(self, value: str, /) -> str | None:
        """Return the normal form of a name or a title, or None if nothing is left of it."""
        ...


@attrs.frozen
class Plain:
    """The normalizer that needs no other library.

    E-mails in small letters; phones as their digits up to the first letter after them, such as that
    of an extension, with a plus where they begin with one or with two zeros; names by Unicode:
    without accents, apostrophes, punctuation and the size of letters. Whatever shows nothing, such
    as a zero-width space, says nothing.

    Example:
        >>> from leadconvert import Plain
        >>> Plain().phone("+49 (0) 30 / 12 34 56"), Plain().phone("n/a")
        ('+49030123456', None)
        >>> Plain().name("  O'Brien &  Søn ") == Plain().name("OBRIEN søn")
        True
    """

    def email(self, value: str, /) -> str | None:
        """Return the address in small letters, or None if it has not one name and one domain.

        Example:
            >>> from leadconvert import Plain
            >>> Plain().email("nobody") is None
            True
        """
        # not casefold(), which makes two domains one: of a sharp s, two s
        told = _shown("NFKC", value).strip().lower()
        local, _, domain = told.rpartition("@")
        whole = local and domain and "@" not in local and not any(map(str.isspace, told))
        return told if whole else None

    def phone(self, value: str, /) -> str | None:
        """Return the digits, after a plus if the number is international, or None if too few.

        Example:
            >>> from leadconvert import Plain
            >>> Plain().phone("0049 30 123456")
            '+4930123456'
        """
        found = _NUMBER.search(_shown("NFKC", value))
        if found is None:
            return None
        plus, number = found.groups()
        digits = "".join(str(int(one)) for one in number if one.isdecimal())
        if len(digits) < _SHORTEST_PHONE or len(set(digits)) == 1:
            return None
        if not plus and digits.startswith("00"):
            return f"+{digits[2:]}"
        return f"{plus}{digits}"

    def name(self, value: str, /) -> str | None:
        """Return the words of a name without what people leave out or write differently.

        Example:
            >>> from leadconvert import Plain
            >>> Plain().name("José  D'Arc"), Plain().name(" - ")
            ('jose darc', None)
        """
        bare = _shown("NFKD", value.translate(_APOSTROPHES)).casefold()
        if bare.isascii():  # has no marks
            return " ".join(_NO_WORD.sub(" ", bare).split()) or None
        kept = (one for one in bare if unicodedata.combining(one) not in _ACCENTS)
        said = (one if one.isalnum() or _is_part(one) else " " for one in kept)
        return " ".join("".join(said).split()) or None


def _shown(form: Literal["NFKC", "NFKD"], value: str) -> str:
    """Return *value* in a normal form of Unicode, without what shows nothing."""
    if value.isascii() and value.isprintable():
        return value
    told = unicodedata.normalize(form, value)
    return "".join(one for one in told if one not in _UNSEEN and unicodedata.category(one) != "Cf")


def _is_part(one: str) -> bool:
    """Whether a mark is part of the letter before it, as vowels are in many scripts."""
    return unicodedata.category(one) in {"Mn", "Mc"}


def keys_of(kind: Kind, record: Record, normalizer: Normalizer) -> frozenset[MatchKey]:
    """Return what *record* may be known by: its e-mails, its phones, and what its kind names.

    Example:
        >>> from leadconvert import Channel, Contact, Plain
        >>> from leadconvert.kinds import CONTACT
        >>> from leadconvert.matching import keys_of
        >>> ada = Contact(id="C-3", first_name="Ada", last_name="Lovelace")
        >>> sorted(keys_of(CONTACT, ada, Plain()))
        [MatchKey(type='person', value='ada lovelace')]
    """
    found: set[MatchKey] = set()
    for name, field in kind.channels.items():
        normal = normalizer.email if field.type is FieldType.EMAIL else normalizer.phone
        for one in _channels(kind.read(record, name)):
            if (value := normal(one)) is not None:
                found.add(MatchKey(field.type.value, value))
    for type_, names in kind.keys.items():
        parts = [kind.read(record, name) for name in names]
        # a part of which nothing is left, such as a dash, is as good as none
        told = [normalizer.name(part) for part in parts if isinstance(part, str)]
        whole = len(told) == len(parts) and None not in told
        value = normalizer.name(" ".join(map(str, parts))) if whole else None
        if value is not None:
            found.add(MatchKey(type_, value))
    return frozenset(found)


def _channels(value: object) -> Iterator[str]:
    for one in value if isinstance(value, tuple) else (value,):
        if isinstance(one, Channel):
            yield one.value
        elif isinstance(one, str):
            yield one


class Then(StrEnum):
    """What follows from a match: make a new record all the same, link, merge, ask or refuse.

    Example:
        >>> from leadconvert import Then
        >>> Then("merge") is Then.MERGE
        True
    """

    NONE = "none"
    LINK = "link"
    MERGE = "merge"
    ASK = "ask"
    REFUSE = "refuse"


def _then(value: str) -> Then:
    return chosen(Then, value, "consequence", "match rule")


def _combinations(values: Iterable[str | Iterable[str]]) -> tuple[frozenset[str], ...]:
    if isinstance(values, str):
        texts(values)
    return tuple(frozenset([one] if isinstance(one, str) else texts(one)) for one in values)


@attrs.frozen
class MatchRule:
    """Says by which keys a lead and a record of *kind* are one and the same, and what follows.

    *by* lists sorts of keys; a list in it means that all of its keys must agree. So ``["email",
    ["phone", "person"]]`` is: one e-mail, or one phone and the name.

    Example:
        >>> from leadconvert import MatchRule
        >>> MatchRule("contact", ["email", ["phone", "person"]], "merge").then
        <Then.MERGE: 'merge'>
    """

    kind: str = attrs.field(validator=is_a(str))
    by: tuple[frozenset[str], ...] = attrs.field(converter=_combinations)
    then: Then = attrs.field(default=Then.MERGE, converter=_then)


@attrs.frozen
class Match:
    """A record that a lead matches, and the sorts of keys that both have.

    Example:
        >>> from leadconvert import Contact, Match
        >>> Match(Contact(id="C-3"), ("email",)).by
        ('email',)
    """

    record: Record
    by: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Exceptions:
    """E-mails and phones that never become clients: nothing matches by them, no rule converts them.

    Example:
        >>> from leadconvert import Exceptions
        >>> Exceptions(emails=["noreply@example.com"]).emails
        ('noreply@example.com',)
    """

    emails: tuple[str, ...] = attrs.field(default=(), converter=texts)
    phones: tuple[str, ...] = attrs.field(default=(), converter=texts)

    def keys(self, normalizer: Normalizer) -> frozenset[MatchKey]:
        """Return them as keys.

        Example:
            >>> from leadconvert import Exceptions, Plain
            >>> sorted(Exceptions(phones=["030 123456"]).keys(Plain()))
            [MatchKey(type='phone', value='030123456')]
        """
        told = [("email", normalizer.email(one)) for one in self.emails]
        told += [("phone", normalizer.phone(one)) for one in self.phones]
        return frozenset(MatchKey(type_, value) for type_, value in told if value is not None)


def _rules(values: Iterable[MatchRule]) -> tuple[MatchRule, ...]:
    return tuple(values)


@attrs.frozen
class Matching:
    """How a lead finds records that exist already: the first rule of a kind that matches decides.

    With *enrich*, every conversion of a lead that is bound to clients fills their gaps as well,
    which needs the rights to merge into them. By *exceptions* nothing matches. *same* is a function
    of a module that tells whether two keys of one sort are alike enough; equal ones always are.

    Raises:
        TypeError: *exceptions* are a list, or *same* is no function.

    Example:
        >>> from leadconvert import MatchRule, Matching
        >>> Matching([MatchRule("contact", ["email"])]).rules[0].kind
        'contact'
    """

    rules: tuple[MatchRule, ...] = attrs.field(default=(), converter=_rules)
    enrich: bool = attrs.field(default=False, kw_only=True)
    exceptions: Exceptions = attrs.field(
        factory=Exceptions, validator=is_a(Exceptions), kw_only=True
    )
    normalizer: Normalizer = attrs.field(factory=Plain, kw_only=True)
    same: Same | None = attrs.field(
        default=None, validator=validators.optional(validators.is_callable()), kw_only=True
    )

    def sorts(self, kind: str) -> frozenset[str]:
        """Return the sorts of keys by which a rule could find a record of *kind*.

        Example:
            >>> from leadconvert import MatchRule, Matching
            >>> matching = Matching([MatchRule("contact", ["email", ["phone", "person"]])])
            >>> sorted(matching.sorts("contact"))
            ['email', 'person', 'phone']
        """
        own = (rule for rule in self.rules if rule.kind == kind)
        return frozenset(sort for rule in own for by in rule.by for sort in by)

    def keys(self, kind: Kind, record: Record) -> frozenset[MatchKey]:
        """Return what *record* may be known by, without the exceptions.

        Example:
            >>> from leadconvert import Lead, Matching
            >>> from leadconvert.kinds import LEAD
            >>> Matching().keys(LEAD, Lead(id="L-7", stage="NEW", company_name="Engines"))
            frozenset({MatchKey(type='company', value='engines')})
        """
        found = keys_of(kind, record, self.normalizer)
        return found - self.exceptions.keys(self.normalizer) if found else found

    def matches(
        self, keys: frozenset[MatchKey], kind: Kind, records: Iterable[Record]
    ) -> tuple[Then, tuple[Match, ...]]:
        """Return what follows, and from which of the *records*, all of *kind*.

        Example:
            >>> from leadconvert import Company, MatchKey, MatchRule, Matching
            >>> from leadconvert.kinds import COMPANY
            >>> matching = Matching([MatchRule("company", ["company"], "link")])
            >>> keys = frozenset({MatchKey("company", "engines")})
            >>> engines = Company(id="CO-9", name="ENGINES")
            >>> matching.matches(keys, COMPANY, [engines])[1][0].record.id
            'CO-9'
        """
        rules = [rule for rule in self.rules if rule.kind == kind.id]
        theirs = [(record, self.keys(kind, record)) for record in records] if rules else []
        for rule in rules:
            found = [
                Match(record, by)
                for record, own in theirs
                if (by := _by(rule, self._shared(keys, own)))
            ]
            if found:
                return rule.then, tuple(sorted(found, key=lambda one: one.record.id))
        return Then.NONE, ()

    def _shared(
        self, ours: frozenset[MatchKey], theirs: frozenset[MatchKey]
    ) -> frozenset[MatchKey]:
        same = self.same
        if same is None:
            return ours & theirs
        return (ours & theirs) | {
            key
            for key in ours
            if any(key.type == other.type and same(key, other) for other in theirs)
        }


def _by(rule: MatchRule, keys: frozenset[MatchKey]) -> tuple[str, ...]:
    """Return the sorts of keys by which *rule* holds, given the keys that both records have."""
    sorts = {key.type for key in keys}
    return tuple(sorted(set().union(*(by for by in rule.by if by and by <= sorts))))


def match_mistakes(matching: Matching, lead: Kind, kinds: Iterable[Kind]) -> Iterator[Problem]:
    """Yield every match rule that names what the rules do not have, or that can never match.

    Example:
        >>> from leadconvert import MatchRule, Matching
        >>> from leadconvert.kinds import CONTACT, LEAD
        >>> from leadconvert.matching import match_mistakes
        >>> matching = Matching([MatchRule("contact", ["e-mail"])])
        >>> print(*match_mistakes(matching, LEAD, [CONTACT]))
        match rule for contact: there is no key 'e-mail', did you mean 'email'? (correct the name)
    """
    by_id, normalizer = {kind.id: kind for kind in kinds}, type(matching.normalizer)
    if not attrs.has(normalizer):
        yield mistake("not_attrs", "matching", name=normalizer.__qualname__)
    elif not attrs.inspect(normalizer).is_frozen:
        yield mistake("not_frozen", "matching", name=normalizer.__qualname__)
    if "<" in getattr(matching.same, "__qualname__", ""):
        yield mistake("lambda", "matching", what="function", name="same")
    for rule in matching.rules:
        place = f"match rule for {rule.kind}"
        if rule.kind not in by_id:
            yield unknown("kind", rule.kind, by_id, place)
            continue
        sorts = [*_sorts(by_id[rule.kind])]
        named = sorted(set().union(*rule.by))
        yield from (unknown("key", name, sorts, place) for name in named if name not in sorts)
        missing = sorted({*named} & {*sorts} - {*_sorts(lead)})
        if missing:
            why = f"the lead's kind has no key {', '.join(map(repr, missing))}"
            yield mistake("bad_match_rule", place, why=why)
        if not all(rule.by) or not rule.by:
            yield mistake("bad_match_rule", place, why="it names no keys")


def _sorts(kind: Kind) -> Iterator[str]:
    types = {field.type for field in kind.members.values()}
    yield from (type_.value for type_ in (FieldType.EMAIL, FieldType.PHONE) if type_ in types)
    yield from kind.keys
