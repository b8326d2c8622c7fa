"""What each driver loads, decides, and reads back where it was asked before."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any, Required, TypedDict

import attrs

from leadconvert import (
    Actor,
    Authorizer,
    ChangeSet,
    Conversion,
    ConversionResult,
    ConversionRules,
    FrozenMap,
    Kind,
    Known,
    Lead,
    MovePlan,
    MoveResult,
    Plan,
    Receipt,
    Record,
    Ref,
    Reversal,
    ReversalPlan,
    Target,
    TargetOutcome,
    Undoing,
    Wanted,
    arrive,
    plan,
    plan_move,
    plan_reversal,
    survivor,
    wanted,
    wanted_reversal,
)
from leadconvert.errors import StoreError
from leadconvert.fields import MisfitError
from leadconvert.given import expect, texts
from leadconvert.records import changed
from leadconvert.stores._checking import check_call, check_id
from leadconvert.stores._port import AsyncStore, Store
from leadconvert.stores._steps import Driver, Steps, by_ref, found, misfit, of_kinds
from leadconvert.values import ids_in


__all__ = [
    "Advancing",
    "Arriving",
    "Converting",
    "Reversing",
    "advancing",
    "arriving",
    "converting",
    "reversing",
]


class _Telling(TypedDict, total=False):
    """What every driver is told."""

    rules: Required[ConversionRules]
    at: Required[datetime]
    key: str | None
    authorizer: Authorizer | None
    attempts: int


class Arriving(_Telling, total=False):
    """What a driver is told besides, where somebody may own what is made."""

    eligible_owners: Iterable[str] | None


class _Asking(_Telling, total=False):
    """What a driver is told besides, where somebody asks."""

    actor: Required[Actor]
    reason: str | None


class Advancing(Arriving, _Asking, total=False):
    """What a move may be told besides."""

    carry: Mapping[str, Mapping[str, str]] | None
    values: Mapping[str, object] | None


class Converting(Advancing, total=False):
    """What a conversion may be told besides."""

    closing: bool
    mode: str


class Reversing(_Asking, total=False):
    """What taking back may be told besides."""

    conversion: str | None
    partial: bool
    keep: bool
    to: str | None


def converting(
    store: Store | AsyncStore, lead_id: str, into: Iterable[str | Target], asked: Converting
) -> Steps[ConversionResult]:
    """Return the steps of converting a stored lead."""
    _check(store, asked, Converting)
    check_id(lead_id)
    rules, targets = asked["rules"], into if isinstance(into, str | Target) else list(into)
    ref, values = Ref(rules.lead.id, lead_id), FrozenMap(asked.get("values") or {})
    told = _telling(asked)

    def ask(known: Known) -> Wanted:
        need = wanted(
            _filled(_lead(known, ref, rules), values, rules),
            targets,
            rules=rules,
            carry=asked.get("carry"),
            known=known,
            mode=asked.get("mode", "convert"),
        )
        return _united(need, _given(rules.lead, values))

    def decide(known: Known) -> Plan:
        return plan(
            _lead(known, ref, rules),
            targets,
            rules=rules,
            actor=asked["actor"],
            at=asked["at"],
            known=told(known),
            carry=asked.get("carry"),
            key=asked.get("key"),
            authorizer=asked.get("authorizer"),
            values=values,
            closing=asked.get("closing", True),
            reason=asked.get("reason"),
            mode=asked.get("mode", "convert"),
        )

    def read(known: Known, ref: Ref, receipt: Receipt) -> ConversionResult:
        results = _read(known, ref, receipt, rules)
        if len(results) != 1:
            raise _unsaid(receipt, ref)
        return results[0]

    driver = _driver(store, ref, asked, ask)
    return driver.steps(decide, lambda result, receipt: result.stored(receipt), read)


def advancing(
    store: Store | AsyncStore,
    record: Ref | str,
    to: str,
    into: Iterable[str | Target],
    asked: Advancing,
) -> Steps[MoveResult]:
    """Return the steps of moving a stored record."""
    _check(store, asked, Advancing)
    if not isinstance(record, Ref):
        check_id(record)
    rules, targets = asked["rules"], into if isinstance(into, str | Target) else list(into)
    ref = record if isinstance(record, Ref) else Ref(rules.lead.id, record)
    values, told = FrozenMap(asked.get("values") or {}), _telling(asked)

    def ask(known: Known) -> Wanted:
        moved = found(known, ref, rules)
        kind = rules.kind_of(moved)
        need = Wanted() if kind is None else _given(kind, values)
        if isinstance(moved, Lead):
            lead = _filled(moved, values, rules)
            own = wanted(lead, targets, rules=rules, carry=asked.get("carry"), known=known)
            need = _united(need, own, _by_rules(lead, rules, known))
        return need

    def decide(known: Known) -> MovePlan:
        return plan_move(
            found(known, ref, rules),
            to,
            targets,
            rules=rules,
            actor=asked["actor"],
            at=asked["at"],
            known=told(known),
            carry=asked.get("carry"),
            key=asked.get("key"),
            authorizer=asked.get("authorizer"),
            values=values,
            reason=asked.get("reason"),
        )

    driver = _driver(store, ref, asked, ask)
    read = _read_move(rules, converts=bool(targets))
    return driver.steps(decide, lambda result, receipt: result.stored(receipt), read)


def arriving(store: Store | AsyncStore, lead: Lead, asked: Arriving) -> Steps[MoveResult]:
    """Return the steps of storing a lead that arrives."""
    _check(store, asked, Arriving)
    expect(("lead", lead, Lead))
    rules, told = asked["rules"], _telling(asked)

    def decide(known: Known) -> _Arrival:
        moved = arrive(
            lead,
            rules=rules,
            at=asked["at"],
            known=told(known),
            key=asked.get("key"),
            authorizer=asked.get("authorizer"),
        )
        return _Arrival(moved)

    driver = _driver(store, None, asked, lambda known: _by_rules(lead, rules, known))
    return driver.steps(decide, lambda result, receipt: result.stored(receipt), _read_move(rules))


@attrs.frozen
class _Arrival:
    """An arrival, which is never refused, in the form of a plan."""

    moved: MoveResult

    @property
    def fingerprint(self) -> str:
        return self.moved.changes.fingerprint

    def result(self) -> MoveResult:
        return self.moved


def reversing(store: Store | AsyncStore, lead_id: str, asked: Reversing) -> Steps[Reversal]:
    """Return the steps of taking a conversion of a stored lead back."""
    _check(store, asked, Reversing)
    check_id(lead_id)
    rules, keep = asked["rules"], asked.get("keep", False)
    ref = Ref(rules.lead.id, lead_id)

    def ask(known: Known) -> Wanted:
        return wanted_reversal(_lead(known, ref, rules), rules=rules, keep=keep, known=known)

    def decide(known: Known) -> ReversalPlan:
        return plan_reversal(
            _lead(known, ref, rules),
            rules=rules,
            actor=asked["actor"],
            at=asked["at"],
            known=known,
            conversion=asked.get("conversion"),
            partial=asked.get("partial", False),
            keep=keep,
            to=asked.get("to"),
            reason=asked.get("reason"),
            key=asked.get("key"),
            authorizer=asked.get("authorizer"),
        )

    def read(known: Known, ref: Ref, receipt: Receipt) -> Reversal:
        lead = _lead(known, ref, rules)
        taken = tuple(_taken_back(lead, keep=keep, conversion=asked.get("conversion")))
        return _read_reversal(known, lead, taken, receipt, rules)

    driver = _driver(store, ref, asked, ask)
    return driver.steps(decide, lambda result, receipt: result.stored(receipt), read)


def _taken_back(lead: Lead, *, keep: bool, conversion: str | None) -> Iterator[Conversion]:
    """Yield what a request took back that was made before, if that can be told."""
    how = Undoing.REOPENED if keep else Undoing.REVERSED
    undone = [made for made in lead.conversions if made.undone and made.undone.how is how]
    if conversion is not None:
        yield from (made for made in undone if made.id == conversion)
    elif len(undone) == 1 or (keep and len({made.undone for made in undone}) == 1):
        yield from undone


def _read_reversal(
    known: Known,
    lead: Lead,
    taken: tuple[Conversion, ...],
    receipt: Receipt,
    rules: ConversionRules,
) -> Reversal:
    """Return what taking conversions back came to, as the records stand now."""
    there, own = by_ref(known, rules), Ref(rules.lead.id, lead.id)
    merged = {gone for gone, _ in known.merged}
    # what is of a kind that was given up cannot be looked up
    targets = [*dict.fromkeys(of_kinds((one for made in taken for one in made.targets), rules))]
    created = {one for made in taken for one in made.created}

    def let_go(ref: Ref) -> bool:
        kind = rules.kind(ref.kind)
        return kind is not None and lead.id not in ids_in(
            kind.read(there[ref], kind.converted_from)
        )

    return Reversal(
        lead=lead,
        conversions=taken,
        restored=tuple(there[one] for one, _ in receipt.revisions if one != own and one in there),
        removed=tuple(one for one in targets if one in created - there.keys() - merged),
        released=tuple(one for one in targets if one in there and let_go(one)),
        kept=(),
        changes=_applied(receipt),
    )


def _check(store: Store | AsyncStore, asked: _Telling, signature: Any) -> None:  # noqa: ANN401 - a TypedDict
    required = signature.__required_keys__
    check_call(store, {**asked}, required | signature.__optional_keys__, required)


def _driver(
    store: Store | AsyncStore, ref: Ref | None, asked: _Telling, ask: Callable[[Known], Wanted]
) -> Driver:
    actor = asked.get("actor")
    return Driver(
        ref=ref,
        actor_id=actor.id if isinstance(actor, Actor) else None,
        rules=asked["rules"],
        ask=ask,
        key=asked.get("key"),
        attempts=asked.get("attempts", 5),
        owns_transaction=store.owns_transaction,
    )


def _lead(known: Known, ref: Ref, rules: ConversionRules) -> Lead:
    lead = found(known, ref, rules)
    assert isinstance(lead, Lead)  # noqa: S101 - the rules' kind of leads has no other class
    return lead


def _telling(asked: Arriving) -> Callable[[Known], Known]:
    """Return what adds to what a store knows who may own something, however often it is called."""
    owners = asked.get("eligible_owners")
    eligible = None if owners is None else texts(owners)
    return lambda known: attrs.evolve(known, eligible_owners=eligible)


def _filled(lead: Lead, values: Mapping[str, object], rules: ConversionRules) -> Lead:
    """Return *lead* with those of the values that fit: by them it finds others, and refers."""
    fitting: dict[str, object] = {}
    for name, value in values.items():
        if value is not None and name in rules.lead.members:
            with suppress(MisfitError):
                fitting[name] = rules.lead.members[name].accept(value)
    return changed(lead, fitting)


def _given(kind: Kind, values: Mapping[str, object]) -> Wanted:
    """Return what is wanted for values of a record itself: what they refer to."""
    given = [(str(field.to), values.get(name)) for name, field in kind.references.items()]
    return Wanted(refs=tuple(Ref(to, one) for to, value in given for one in ids_in(value)))


def _by_rules(lead: Lead, rules: ConversionRules, known: Known) -> Wanted:
    """Return what is wanted for whatever the automation rules may make of a lead."""
    automation = rules.automation
    if automation is None:
        return Wanted()
    into: list[list[str | Target]] = [[*rule.into] for rule in automation.rules]
    if automation.without_leads is not None:
        into.append([*automation.without_leads.targets(rules.kinds)])
    return _united(*(wanted(lead, one, rules=rules, known=known) for one in into))


def _united(*several: Wanted) -> Wanted:
    """Return all that is wanted by any."""
    return Wanted(
        refs=tuple(dict.fromkeys(one for each in several for one in each.refs)),
        access=tuple(dict.fromkeys(one for each in several for one in each.access)),
        matches=tuple(dict.fromkeys(one for each in several for one in each.matches)),
        related=tuple(dict.fromkeys(one for each in several for one in each.related)),
        traces=tuple(dict.fromkeys(one for each in several for one in each.traces)),
    )


def _applied(receipt: Receipt) -> ChangeSet:
    """Return what stands for a change set that was applied before."""
    return ChangeSet(key=str(receipt.key), fingerprint=str(receipt.fingerprint))


def _read(
    known: Known, ref: Ref, receipt: Receipt, rules: ConversionRules
) -> tuple[ConversionResult, ...]:
    """Return the conversions that a request made before came to, as the records stand now.

    Raises:
        leadconvert.errors.StoreError: the receipt names others than the lead has; one into which
            the lead was merged need not have them.
    """
    lead, there = _lead(known, ref, rules), by_ref(known, rules)
    made = [one for one in lead.conversions if one.id in receipt.conversions]
    if lead.id == ref.id and len(made) < len({*receipt.conversions}):
        raise _unsaid(receipt, ref)
    return tuple(_result(lead, one, known, there, receipt) for one in made)


def _result(
    lead: Lead, made: Conversion, known: Known, there: Mapping[Ref, Record], receipt: Receipt
) -> ConversionResult:
    done = dict.fromkeys(made.targets, "created")
    done |= dict.fromkeys(made.linked, "linked") | dict.fromkeys(made.merged, "merged")
    outcomes = {
        now: TargetOutcome(ref=now, action=action, record=there[now])
        for target, action in done.items()
        if (now := survivor(target, known.merged)) in there
    }
    return ConversionResult(
        lead=lead,
        outcomes=tuple(outcomes.values()),
        conversion=made,
        changes=_applied(receipt),
        rows=(),
    )


def _read_move(
    rules: ConversionRules, *, converts: bool = False
) -> Callable[[Known, Ref, Receipt], MoveResult]:
    def read(known: Known, ref: Ref, receipt: Receipt) -> MoveResult:
        if converts and not receipt.conversions:
            raise _unsaid(receipt, ref)
        record = found(known, ref, rules)
        made = _read(known, ref, receipt, rules) if isinstance(record, Lead) else ()
        return MoveResult(record=record, changes=_applied(receipt), conversions=made)

    return read


def _unsaid(receipt: Receipt, ref: Ref) -> StoreError:
    return misfit(receipt, "which conversion was made", ref)
