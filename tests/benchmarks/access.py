"""Times one check of the scope own: by our own policy, by Casbin and by Cedar, side by side.

Run it with ``uv run python tests/benchmarks/access.py``; it prints microseconds and ratios, and
exits with 1 where a Casbin check by the sample policy, which decides the same as ours, takes less
than fifty times ours. A Casbin of one rule that knows nothing else is shown as well.
"""

import runpy
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from timeit import Timer
from typing import Any, Final

import casbin  # type: ignore[import-untyped] # it comes without types

from leadconvert import AccessRequest, Action, Actor, Authorizer, Grant, Policy, Role


RECIPES: Final = Path(__file__).resolve().parents[2] / "docs" / "recipes"
#: How many times as long a Casbin check must take.
WANTED: Final = 50
ROUNDS: Final = 15
#: Seconds that one check is repeated for in one round, about.
ROUND: Final = 0.02

SELLER: Final = Actor("u-7", ["seller"], department=["u-7", "u-8"])
OWN_LEAD: Final = AccessRequest(
    action=Action.UPDATE, kind="lead", id="L-7", owner_id="u-7", pipeline="leads", stage="NEW"
)
#: All that Casbin needs for this one check: who has the role, what it may, and whose record it is.
PLAIN_MODEL: Final = """
[request_definition]
r = sub, kind, act, owner

[policy_definition]
p = role, kind, act

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow))

[matchers]
m = g(r.sub, p.role) && r.kind == p.kind && r.act == p.act && r.owner == r.sub
"""

Check = Callable[[], object]


def recipe(file: str, name: str) -> Any:  # noqa: ANN401 - the file is run, not imported
    """Return what a recipe's file defines under that name."""
    return runpy.run_path(str(RECIPES / file))[name]


def sample_checks() -> tuple[Check, Check, Check]:
    """Return the check by the sample policy, as our own policy, Casbin and Cedar decide it."""
    authorizers: list[Authorizer] = [
        recipe("sales_policy.py", "POLICY"),
        recipe("casbin_authorizer.py", "CasbinAuthorizer")(
            RECIPES / "sales_model.conf", RECIPES / "sales_policy.csv"
        ),
        recipe("cedar_authorizer.py", "CedarAuthorizer")(
            RECIPES / "sales.cedar", RECIPES / "sales.cedarschema"
        ),
    ]
    for authorizer in authorizers:
        if not authorizer.decide(SELLER, OWN_LEAD).allowed:
            raise RuntimeError(f"{authorizer} denies what is to be timed")
    own, casbins, cedars = (partial(one.decide, SELLER, OWN_LEAD) for one in authorizers)
    return own, casbins, cedars


def plain_checks() -> tuple[Check, Check]:
    """Return the check by policies that know nothing else, as our own and Casbin decide it."""
    policy = Policy([Role("seller", [Grant("lead", "update", "own")])])
    enforcer = casbin.Enforcer(casbin.Enforcer.new_model(text=PLAIN_MODEL))
    enforcer.add_policy("seller", "lead", "update")
    enforcer.add_grouping_policy("u-7", "seller")
    asked = ("u-7", "lead", "update", "u-7")
    if not (policy.decide(SELLER, OWN_LEAD).allowed and enforcer.enforce(*asked)):
        raise RuntimeError("what is to be timed is denied")
    return partial(policy.decide, SELLER, OWN_LEAD), partial(enforcer.enforce, *asked)


def microseconds(*checks: Check) -> list[float]:
    """Return what each check takes: the best of several rounds, in each of which all take turns."""
    timers = [Timer(check) for check in checks]
    loops = [max(1, int(ROUND / (timer.timeit(20) / 20))) for timer in timers]
    best = [float("inf")] * len(timers)
    for _ in range(ROUNDS):
        for at, (timer, count) in enumerate(zip(timers, loops, strict=True)):
            best[at] = min(best[at], timer.timeit(count) / count * 1e6)
    return best


def main() -> int:
    """Print the times, pair by pair, and return 1 where ours is not as short as wanted."""
    own, by_casbin, by_cedar = sample_checks()
    fast = compared("Casbin, the sample policy", own, by_casbin) >= WANTED
    compared("Cedar, the sample policy", own, by_cedar)
    compared("Casbin, one rule", *plain_checks())
    sys.stdout.write(f"Casbin takes at least {WANTED} times ours: {'yes' if fast else 'no'}\n")
    return 0 if fast else 1


def compared(name: str, own: Check, other: Check) -> float:
    """Print what both take, and return how many times as long the other one takes."""
    own_us, other_us = microseconds(own, other)
    ratio = other_us / own_us
    sys.stdout.write(f"{name:26} {other_us:7.1f} us, ours {own_us:5.2f} us, ratio {ratio:6.1f}\n")
    return ratio


if __name__ == "__main__":
    sys.exit(main())
