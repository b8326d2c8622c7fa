# ruff: noqa: INP001 - beside a page, to be read and copied; no package
"""The sample policy of a sales organisation, for leadconvert's own `Policy`.

`sales.cedar` and `sales_policy.csv` say the same by hand, role by role, in the same order.
"""

from typing import Final

from leadconvert import Grant, Policy, Role


__all__ = ["POLICY"]

POLICY: Final = Policy(
    [
        # Sellers work on what they own, read what is opened, and may take up any new lead.
        Role(
            "seller",
            [
                Grant("lead", "read", ["own", "opened"]),
                Grant("lead", "read", "all", stage="NEW"),
                Grant("lead", ["update", "convert"], "own"),
                Grant("lead", "move", "own", to=["IN_PROCESS", "PROCESSED", "CONVERTED"]),
                Grant("contact", ["read", "link"], "all"),
                Grant("contact", "create", "own"),
                Grant("deal", ["read", "create", "update"], "own"),
                Grant("deal", "move", "own"),
                Grant("deal", "move", [], stage="WON"),  # a won deal stays where it is
            ],
        ),
        # Coaches look after their team, and read what the teams below have.
        Role(
            "coach",
            [
                Grant("lead", ["read", "update", "assign"], "team"),
                Grant("deal", "read", ["team", "subteams"]),
            ],
        ),
        # Heads run a department.
        Role(
            "head",
            [
                Grant("lead", ["read", "update", "convert", "assign"], "department"),
                Grant("deal", ["read", "update", "move"], "department"),
            ],
        ),
        # Directors read all that is below them.
        Role("director", [Grant("*", "read", "subdepartments")]),
        # The back office keeps every deal in order, but of those that are won its own only.
        Role(
            "back_office",
            [
                Grant("deal", ["read", "update"], "all"),
                Grant("deal", "update", "own", stage="WON"),
                Grant("deal", "read", fields="margin"),
            ],
        ),
        # The partner desk has one pipeline to itself.
        Role("partner_desk", [Grant("deal", ["read", "create", "update"], pipeline="partners")]),
        # Approvers move any deal anywhere, but never win their own.
        Role(
            "approver",
            [Grant("deal", ["read", "move"], "all")],
            forbids=[Grant("deal", "move", "own", to=["WON"])],
        ),
        # Who is on leave changes nothing, whatever other roles permit.
        Role("on_leave", forbids=[Grant("*", ["create", "update", "convert", "move"], "all")]),
    ]
)
