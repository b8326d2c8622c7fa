"""For test suites: Hypothesis strategies for leads, rules and requests.

They fit *your* rules: a suite that says ``@given(leads(rules))`` meets every custom field it has
declared, and values nobody thought of. Needs ``leadconvert[testing]``.
"""

from leadconvert.testing.strategies import (
    Project,
    actors,
    addresses,
    amounts,
    channels,
    conversion_rules,
    days,
    leads,
    moments,
    policies,
    products,
    targets,
    texts,
    values,
)


__all__ = [
    "Project",
    "actors",
    "addresses",
    "amounts",
    "channels",
    "conversion_rules",
    "days",
    "leads",
    "moments",
    "policies",
    "products",
    "targets",
    "texts",
    "values",
]
