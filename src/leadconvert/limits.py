"""How many there may be: whether a record is made at all, or only if its client has none open."""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

import attrs

from leadconvert.errors import chosen
from leadconvert.given import is_a
from leadconvert.kinds import Kind
from leadconvert.pipelines import Pipeline, StageRole
from leadconvert.problems import Problem, mistake, twice, unknown
from leadconvert.records import Record
from leadconvert.values import Ref, ids_in


__all__ = ["Limit", "Made", "limit_mistakes", "open_records"]


class Made(StrEnum):
    """When a new record is made: always, never, or only if its client has no open one.

    Example:
        >>> from leadconvert import Made
        >>> Made("no_open") is Made.NO_OPEN
        True
    """

    ALWAYS = "always"
    NEVER = "never"
    NO_OPEN = "no_open"


def _made(value: str) -> Made:
    return chosen(Made, value, "limit", "limits")


@attrs.frozen
class Limit:
    """When a new record of *kind* is made; one that exists may be linked all the same.

    Example:
        >>> from leadconvert import Limit
        >>> Limit("deal", "no_open").made
        <Made.NO_OPEN: 'no_open'>
    """

    kind: str = attrs.field(validator=is_a(str))
    made: Made = attrs.field(converter=_made)


def limit_mistakes(limits: Iterable[Limit], kinds: Iterable[Kind]) -> Iterator[Problem]:
    """Yield every limit on a kind that the rules do not have, or that has nothing to be open.

    Example:
        >>> from leadconvert import Limit
        >>> from leadconvert.kinds import DEAL
        >>> from leadconvert.limits import limit_mistakes
        >>> print(*limit_mistakes([Limit("dael", "never")], [DEAL]))
        limits: there is no kind 'dael', did you mean 'deal'? (correct the name)
    """
    by_id, named = {kind.id: kind for kind in kinds}, [limit.kind for limit in limits]
    yield from twice("limit", named, "limits")
    for limit in limits:
        if limit.kind not in by_id:
            yield unknown("kind", limit.kind, by_id, "limits")
        elif limit.made is Made.NO_OPEN and by_id[limit.kind].stage is None:
            yield mistake("bad_limit", "limits", why=f"a {limit.kind} has no stages to be open in")


def open_records(
    kind: Kind,
    pipelines: Iterable[Pipeline],
    clients: Iterable[Ref],
    known: Mapping[Ref, Record],
) -> Iterator[tuple[Ref, Ref]]:
    """Yield each record of *kind* in process, with the one of the *clients* that it refers to.

    Example:
        >>> from leadconvert import Deal, Ref, presets
        >>> from leadconvert.limits import open_records
        >>> rules, client = presets.bitrix24(), Ref("company", "CO-9")
        >>> known = {Ref("deal", "D-5"): Deal(id="D-5", stage="NEW", company_id="CO-9")}
        >>> found = open_records(rules.kind("deal"), rules.pipelines_of("deal"), [client], known)
        >>> [str(deal) for deal, _ in found]
        ['deal D-5']
    """
    process = {one.id: {stage.id for stage in one.in_role(StageRole.PROCESS)} for one in pipelines}
    anywhere, wanted = set[str]().union(*process.values()), set(clients)
    same = {ref: record for ref, record in known.items() if ref.kind == kind.id}
    for ref, record in same.items():
        # what stands in no pipeline of ours is open if its stage is so in any
        own = process.get(str(kind.read(record, kind.pipeline)), anywhere)
        if kind.read(record, kind.stage) in own:
            for name, field in kind.references.items():
                for id_ in ids_in(kind.read(record, name)):
                    if (client := Ref(str(field.to), id_)) in wanted:
                        yield ref, client
