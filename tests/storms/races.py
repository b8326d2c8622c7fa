"""Requests at once: one lead asked for twice, two leads of one person, one company for all."""

from typing import Final

from storms.crowd import Request, at_once, refusals
from storms.world import Census, Report, census, filled, person

from leadconvert import Company, Link


__all__ = ["hot", "race", "twins"]

#: How somebody who was too late may be refused.
_LATE: Final = {"AlreadyConvertedError", "ConflictError"}


def race(url: str, leads: int, processes: int) -> Report:
    """Let two processes at once convert each lead, and return what came of it.

    They meet before they load, or when both have decided and nothing is applied; it is the same
    actor, or two; with a key of the caller's, or without: each of these eight for every eighth
    lead.
    """
    ids = [f"L-{n}" for n in range(leads)]
    filled(url, [person(one, n) for n, one in enumerate(ids)])
    pairs = processes // 2
    answers = at_once(url, [_raced(ids, pairs, place) for place in range(pairs * 2)], 2)
    there = census(url)
    given = [one for one in answers if one.error is None]
    other = [one for one in given if one.story != there.converted.get(one.lead_id)]
    refused = refusals(answers)
    found = {
        "requests": len(answers),
        "given the result that is stored": len(given) - len(other),
        "given another result": len(other),
        "refused as too late": sum(n for name, n in refused.items() if name in _LATE),
        "refused otherwise": sum(n for name, n in refused.items() if name not in _LATE),
        "leads nobody was given a result for": leads - len({one.lead_id for one in given}),
        **_counted(there),
    }
    promised = {
        "requests": leads * 2,
        "given another result": 0,
        "refused otherwise": 0,
        "leads nobody was given a result for": 0,
        **_promised(leads),
    }
    return Report(found, promised)


def _raced(ids: list[str], pairs: int, place: int) -> list[Request]:
    return [
        Request(
            lead_id=one,
            late=n % 2 == 0,
            actor=place % 2 if n // 2 % 2 else 0,
            key=f"order {one}" if n // 4 % 2 else None,
        )
        for n, one in enumerate(ids)
        if n % pairs == place // 2
    ]


def twins(url: str, pairs: int, *, claims: bool = True) -> Report:
    """Convert two leads of one person and one company at once, for each pair.

    Both have decided before either applies.
    """
    leads = [person(f"L-{n}-{side}", n) for n in range(pairs) for side in "ab"]
    filled(url, leads)
    work = [[Request(lead_id=f"L-{n}-{side}") for n in range(pairs)] for side in "ab"]
    answers = at_once(url, work, 2, claims=claims)
    found = {"failed": sum(refusals(answers).values()), **_counted(census(url))}
    return Report(found, {"failed": 0, **_promised(pairs * 2, contacts=pairs, companies=pairs)})


def hot(url: str, leads: int, processes: int) -> Report:
    """Link all leads to one company; all processes have decided before any applies."""
    ids = [f"L-{n}" for n in range(leads - leads % processes)]
    company = Company(id="CO-9", name="Everybody's")
    people = [person(one, n, f"Works {n}") for n, one in enumerate(ids)]
    filled(url, [*people, company])
    into = ("contact", Link("company", "CO-9"), "deal")
    work = [
        [Request(lead_id=one, into=into) for one in ids[n::processes]] for n in range(processes)
    ]
    answers = at_once(url, work, processes)
    there = census(url, seeded=["CO-9"])
    there = census(url, seeded=["CO-9"])
    found = {"failed": sum(refusals(answers).values()), **_counted(there)}
    return Report(found, {"failed": 0, **_promised(len(ids), companies=1)})


def _counted(there: Census) -> dict[str, int]:
    return {
        "leads converted": len(there.converted),
        "contacts": there.kinds["contact"],
        "companies": there.kinds["company"],
        "deals": there.kinds["deal"],
        "half conversions": there.half,
        "duplicates": there.duplicates,
        "orphans": there.orphans,
    }


def _promised(
    leads: int, *, contacts: int | None = None, companies: int | None = None
) -> dict[str, int]:
    return {
        "leads converted": leads,
        "contacts": leads if contacts is None else contacts,
        "companies": leads if companies is None else companies,
        "deals": leads,
        "half conversions": 0,
        "duplicates": 0,
        "orphans": 0,
    }
