"""For test suites: strategies for leads, rules, requests and actors; what a store must pass.

They fit *your* rules: a suite that says ``@given(leads(rules))`` meets every custom field it has
declared, and values nobody thought of. `StoreContract` holds the tests that an adapter is put to.
Needs ``leadconvert[testing]``.
"""

from leadconvert.testing._contract_rules import Visit
from leadconvert.testing.access import access_requests, actors, grants, organisations, policies
from leadconvert.testing.complete import BOUND, Spelling, complete_rules
from leadconvert.testing.contract import Opened, StoreContract
from leadconvert.testing.plain import (
    addresses,
    amounts,
    channels,
    days,
    ids,
    moments,
    products,
    texts,
    users,
    values,
)
from leadconvert.testing.requests import leads, targets
from leadconvert.testing.rules import Project, conversion_rules


__all__ = [
    "BOUND",
    "Opened",
    "Project",
    "Spelling",
    "StoreContract",
    "Visit",
    "access_requests",
    "actors",
    "addresses",
    "amounts",
    "channels",
    "complete_rules",
    "conversion_rules",
    "days",
    "grants",
    "ids",
    "leads",
    "moments",
    "organisations",
    "policies",
    "products",
    "targets",
    "texts",
    "users",
    "values",
]
