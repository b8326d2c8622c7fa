"""Salesforce's profiles and permission sets as a policy: what each permission amounts to."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Final

import attrs
import pytest

from leadconvert import (
    AccessRequest,
    Action,
    Actor,
    Company,
    ConversionRules,
    Create,
    Field,
    Kind,
    Known,
    Lead,
    Merge,
    Policy,
    Target,
    convert,
    errors,
    presets,
)


SF: Final = presets.salesforce
RULES: Final = presets.salesforce()
AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
DEAL: Final = Create("deal", values={"close_date": date(2027, 3, 31)})
OBJECTS: Final = {"Lead": "lead", "Account": "company", "Contact": "contact", "Opportunity": "deal"}
CONVERTS: Final = {"name": "ConvertLeads", "enabled": True}
LEAD: Final = Lead(
    id="00Q1",
    stage="Working - Contacted",
    last_name="Lovelace",
    company_name="Engines",
    owner_id="005A",
)


def on(object_: str, *permissions: str) -> dict[str, object]:
    """Return the object permissions of one object."""
    return {"object": object_, **dict.fromkeys(permissions, True)}


def role(*objects: Mapping[str, object], user: Iterable[Mapping[str, object]] = ()) -> object:
    """Return a profile with these permissions."""
    return {"objectPermissions": list(objects), "userPermissions": list(user)}


FULL: Final = [
    on("Lead", "allowRead", "allowEdit"),
    on("Account", "allowRead", "allowEdit", "allowCreate"),
    on("Contact", "allowRead", "allowEdit", "allowCreate"),
    on("Opportunity", "allowRead", "allowEdit", "allowCreate"),
]


def reach(policy: Policy, action: str, kind: str) -> str:
    """Tell whose records one may do this with: everybody's, those below and one's own, or none."""
    actor = Actor("005A", roles=["R"], subdepartments=["005B"])
    mine, below, other = (
        policy.decide(
            actor, AccessRequest(action=action, kind=kind, owner_id=owner, stage="x")
        ).allowed
        for owner in ("005A", "005B", "005C")
    )
    return {
        (True, True, True): "all",
        (True, True, False): "below",
        (False, False, False): "",
    }[mine, below, other]


def guarded() -> ConversionRules:
    """Return rules in which the revenue and the last name of a lead are sensitive."""
    secret = {"AnnualRevenue", "address"}
    lead = attrs.evolve(
        RULES.lead,
        fields=[*RULES.lead.fields, Field("address", "address", sensitive=True)],
        custom=[attrs.evolve(one, sensitive=one.id in secret) for one in RULES.lead.custom],
    )
    return attrs.evolve(RULES, lead=lead)


class TestObjects:
    @pytest.mark.parametrize(("object_", "kind"), OBJECTS.items())
    @pytest.mark.parametrize(
        ("permissions", "expected"),
        [
            ([], {}),
            (["allowRead"], {"read": "below", "link": "below"}),
            (["allowRead", "viewAllRecords"], {"read": "all", "link": "all"}),
            (
                ["allowEdit"],
                {"update": "below", "merge": "below", "move": "below", "assign": "below"},
            ),
            (["allowCreate"], {}),
            (
                ["allowCreate", "allowEdit"],
                {
                    **dict.fromkeys(["update", "merge", "move", "assign"], "below"),
                    "create": "all",
                },
            ),
            (["allowDelete"], {"delete": "below"}),
            (
                ["allowRead", "allowEdit", "allowDelete", "modifyAllRecords"],
                dict.fromkeys(
                    ["read", "link", "update", "merge", "move", "assign", "delete"], "all"
                ),
            ),
        ],
        ids=str,
    )
    def test_each_permission(
        self, object_: str, kind: str, permissions: list[str], expected: Mapping[str, str]
    ) -> None:
        """A permission gives these rights, on private records those of oneself and those below."""
        policy = SF.policy({"R": role(on(object_, *permissions))})
        told = {str(action): reach(policy, action, kind) for action in Action}
        assert dict(expected) == {action: scope for action, scope in told.items() if scope}

    @pytest.mark.parametrize(
        ("model", "expected"),
        [
            ("Private", ("below", "below", "below")),
            ("Read", ("all", "below", "below")),
            ("ReadWrite", ("all", "all", "below")),
            ("ReadWriteTransfer", ("all", "all", "all")),
            ("FullAccess", ("all", "all", "all")),
        ],
    )
    def test_sharing_widens_what_one_reaches(
        self, model: str, expected: tuple[str, str, str]
    ) -> None:
        """What the organisation shares, one reads, edits and gives away whoever owns it."""
        policy = SF.policy(
            {"R": role(on("Lead", "allowRead", "allowEdit", "allowDelete"))},
            sharing={"Lead": model},
        )
        actions = ("read", "update", "assign")
        assert expected == tuple(reach(policy, action, "lead") for action in actions)
        assert "below" == reach(policy, "delete", "lead")

    def test_a_contact_is_shared_as_its_account(self) -> None:
        """What the account's model opens is open of its contacts as well."""
        settings = {"R": role(on("Contact", "allowRead"), on("Account", "allowRead"))}
        parent = {"Contact": "ControlledByParent"}
        assert "below" == reach(SF.policy(settings, sharing=parent), "read", "contact")
        shared = SF.policy(settings, sharing={**parent, "Account": "Read"})
        assert "all" == reach(shared, "read", "contact")

    def test_permissions_of_the_system(self) -> None:
        """Those to view and modify all data, and to transfer, widen what one reaches."""
        named = {
            name: SF.policy(
                {
                    "R": role(
                        on("Lead", "allowRead", "allowEdit"),
                        on("Account", "allowEdit"),
                        user=[{"name": name, "enabled": True}],
                    )
                }
            )
            for name in ("ViewAllData", "ModifyAllData", "TransferAnyLead", "TransferAnyEntity")
        }
        asked = [("read", "deal"), ("create", "deal"), ("assign", "lead"), ("assign", "company")]
        told = {name: [reach(one, *each) for each in asked] for name, one in named.items()}
        assert {
            "ViewAllData": ["all", "", "below", "below"],
            "ModifyAllData": ["all", "all", "all", "all"],
            "TransferAnyLead": ["", "", "all", "below"],
            "TransferAnyEntity": ["", "", "all", "all"],
        } == told

    def test_a_custom_object(self) -> None:
        """What kind a custom object is, is said; what is not said is passed over."""
        settings = {"R": role(on("Project__c", "allowRead"), on("Case", "allowRead"))}
        policy = SF.policy(settings, kinds={"Project__c": "project"})
        assert "below" == reach(policy, "read", "project")
        assert {"project"} == {grant.kind for grant in policy.roles[0].grants}

    def test_one_entry_alone(self) -> None:
        """XML has no lists of one, and no booleans."""
        text = {
            "objectPermissions": {"object": "Lead", "allowRead": "true", "allowEdit": "false"},
            "userPermissions": {"name": "ConvertLeads", "enabled": "true"},
        }
        policy = SF.policy({"R": text})
        assert ("below", "", "all") == tuple(
            reach(policy, action, "lead") for action in ("read", "update", "convert")
        )


class TestConverting:
    """Converting takes the permission, the lead, and to create and edit all that is made."""

    @pytest.mark.parametrize(
        ("objects", "user", "denied"),
        [
            (FULL, [CONVERTS], []),
            (FULL, [], [("lead", "convert")]),
            (FULL, [{"name": "ConvertLeads", "enabled": False}], [("lead", "convert")]),
            (
                [on("Lead", "allowRead"), *FULL[1:]],
                [CONVERTS],
                [("lead", "update"), ("lead", "move")],
            ),
            ([FULL[0], *FULL[2:]], [CONVERTS], [("company", "create")]),
            (
                [*FULL[:3], on("Opportunity", "allowRead", "allowCreate")],
                [CONVERTS],
                [("deal", "create")],
            ),
            ([FULL[0]], [CONVERTS], [(one, "create") for one in ("company", "contact", "deal")]),
        ],
    )
    def test_what_is_missing_is_told(
        self,
        objects: list[Mapping[str, object]],
        user: list[Mapping[str, object]],
        denied: list[tuple[str, str]],
    ) -> None:
        """Each right that is missing is named, and with all of them the lead is converted."""
        rules = attrs.evolve(RULES, policy=SF.policy({"R": role(*objects, user=user)}))
        into: list[str | Target] = ["contact", "company", DEAL]
        actor = Actor("005A", roles=["R"])
        if not denied:
            result = convert(LEAD, into, rules=rules, actor=actor, at=AT)
            assert "Engines" == result.deal.title
            return
        with pytest.raises(errors.AccessDeniedError) as caught:
            convert(LEAD, into, rules=rules, actor=actor, at=AT)
        told = [(str(one.kind), str(one.params["action"])) for one in caught.value.problems]
        assert set(denied) == set(told)

    @pytest.mark.parametrize(
        ("permissions", "sharing", "expected"),
        [
            (["allowRead", "allowEdit"], "ReadWrite", True),
            (["allowRead", "allowEdit"], "Read", False),
            (["allowRead"], "ReadWrite", False),
        ],
    )
    def test_merging_takes_to_edit_that_record(
        self, permissions: list[str], sharing: str, *, expected: bool
    ) -> None:
        """Whose account one may not edit, one does not merge into."""
        objects = [FULL[0], on("Account", *permissions)]
        policy = SF.policy({"R": role(*objects, user=[CONVERTS])}, sharing={"Account": sharing})
        account = Company(id="001", name="Engines", owner_id="005C")

        def converted() -> Company:
            return convert(
                LEAD,
                [Merge("company", "001")],
                rules=attrs.evolve(RULES, policy=policy),
                actor=Actor("005A", roles=["R"]),
                at=AT,
                known=Known(records=[account]),
            ).company

        if expected:
            assert "001" == converted().id
        else:
            with pytest.raises(errors.AccessDeniedError):
                converted()

    def test_a_profile_and_a_permission_set_add_up(self) -> None:
        """What each grants alone is granted to whoever has both."""
        policy = SF.policy({"Profile": role(*FULL), "Converter": role(user=[CONVERTS])})
        rules = attrs.evolve(RULES, policy=policy)
        both = Actor("005A", roles=["Profile", "Converter"])
        assert convert(LEAD, ["contact"], rules=rules, actor=both, at=AT).contact
        with pytest.raises(errors.AccessDeniedError):
            convert(LEAD, ["contact"], rules=rules, actor=Actor("005A", roles=["Profile"]), at=AT)

    def test_a_group_grants_what_its_members_grant_together(self) -> None:
        """To create from one and to edit from the other is to make a record."""
        settings = {
            "Creator": role(on("Contact", "allowCreate"), on("Account", "allowRead")),
            "Editor": role(on("Contact", "allowEdit"), on("Account", "allowEdit")),
            "Viewer": {"fieldPermissions": {"field": "Lead.AnnualRevenue", "readable": True}},
        }
        policy = SF.policy(settings, groups={"R": ["Creator", "Editor", "Viewer"]}, rules=guarded())
        see = AccessRequest(action="read", kind="lead", field="AnnualRevenue")
        assert policy.decide(Actor("005A", roles=["R"]), see).allowed
        assert ("all", "below", "below") == (
            reach(policy, "create", "contact"),
            reach(policy, "update", "contact"),
            reach(policy, "read", "company"),
        )
        apart = Actor("005A", roles=["Creator", "Editor"])
        asked = AccessRequest(action="create", kind="contact", owner_id="005A")
        assert not policy.decide(apart, asked).allowed


class TestFields:
    @pytest.mark.parametrize(
        ("permissions", "expected"),
        [
            ([], (False, False)),
            ([{"field": "Lead.AnnualRevenue", "readable": True}], (True, False)),
            (
                [{"field": "Lead.AnnualRevenue", "readable": True, "editable": True}],
                (True, True),
            ),
            ([{"field": "Lead.AnnualRevenue", "editable": True}], (True, True)),
            ([{"field": "Account.AnnualRevenue", "readable": True}], (False, False)),
            ([{"field": "Lead.AnnualRevenue", "readable": False}], (False, False)),
        ],
    )
    def test_a_sensitive_field_is_seen_by_whom_it_is_granted(
        self, permissions: list[object], expected: tuple[bool, bool]
    ) -> None:
        """What is readable is seen, what is editable is filled, of sensitive fields alone."""
        rules = guarded()
        policy = SF.policy({"R": {"fieldPermissions": permissions}}, rules=rules)
        assert rules.policy != attrs.evolve(rules, policy=policy).policy
        asked = [
            AccessRequest(action=action, kind="lead", field="AnnualRevenue")
            for action in ("read", "update")
        ]
        actor = Actor("005A", roles=["R"])
        assert expected == tuple(policy.decide(actor, one).allowed for one in asked)

    def test_an_address_is_one_field(self) -> None:
        """The compound, and any part of it, is the address here."""
        rules = guarded()
        for name in ("Lead.Address", "Lead.City"):
            entry = {"field": name, "readable": True}
            policy = SF.policy({"R": {"fieldPermissions": [entry]}}, rules=rules)
            [grant] = policy.roles[0].grants
            assert ["address"] == sorted(grant.fields or ())

    def test_all_fields_of_an_object(self) -> None:
        """Whoever may view all fields sees the sensitive ones."""
        rules = guarded()
        policy = SF.policy({"R": role(on("Lead", "viewAllFields"))}, rules=rules)
        [grant] = policy.roles[0].grants
        assert ["AnnualRevenue", "address"] == sorted(grant.fields or ())

    def test_of_a_custom_object(self) -> None:
        """A field of a custom object has its own name, and what is no kind is passed over."""
        project = Kind(
            "project",
            fields=[
                Field("Margin__c", "money", sensitive=True),
                Field("converted_from", "reference", to="lead", multiple=True),
            ],
        )
        rules = attrs.evolve(RULES, kinds=[*RULES.kinds, project])
        entry = {"field": "Project__c.Margin__c", "editable": True}
        settings = {"R": {"fieldPermissions": [entry]}}
        for kinds, expected in (({"Project__c": "project"}, 2), ({"Project__c": "other"}, 0)):
            policy = SF.policy(settings, rules=rules, kinds=kinds)
            assert expected == len(policy.roles[0].grants)


class TestMistakes:
    @pytest.mark.parametrize(
        ("roles", "expected"),
        [
            ([], ["policy: a mapping is needed here"]),
            ({5: {}}, ["policy: a text as a name is needed here"]),
            ({"R": []}, ["policy R: a mapping is needed here"]),
            ({" ": {}}, ["policy: a role needs an id"]),
            (
                {"R": {"objectPermissions": ["Lead", {"allowRead": True}]}},
                [
                    "policy R.objectPermissions 1: an object with object is needed here",
                    "policy R.objectPermissions 2: an object with object is needed here",
                ],
            ),
            (
                {"R": {"objectPermissions": [{"object": "Lead", "allowRaed": True}]}},
                ["policy R.objectPermissions Lead: there is no permission 'allowRaed', did you"],
            ),
            (
                {"R": {"objectPermissions": [{"object": "Lead", "allowRead": 1}]}},
                ["policy R.objectPermissions Lead.allowRead: true or false is needed here"],
            ),
            (
                {"R": {"fieldPermissions": [{"field": "Rating", "readable": True}]}},
                ["policy R.fieldPermissions: an object and a field, such as Lead.Rating,"],
            ),
        ],
    )
    def test_each_has_its_place(self, roles: Mapping[str, object], expected: list[str]) -> None:
        """What is wrong with permissions is told with its place, all at once."""
        with pytest.raises(errors.DefinitionError) as caught:
            SF.policy(roles)
        told = [str(one) for one in caught.value.problems]
        assert [True] * len(expected) == [
            one.startswith(start) for one, start in zip(told, expected, strict=True)
        ]

    def test_of_what_is_given_beside(self) -> None:
        """Sharing and groups are checked as well."""
        with pytest.raises(errors.DefinitionError) as caught:
            SF.policy(
                {"R": {}},
                sharing={"Leed": "Read", "Lead": "Privat"},
                groups={"G": ["Q"], "R": []},
            )
        assert [
            "policy sharing: there is no object 'Leed', did you mean 'Lead'? (correct the name)",
            (
                "policy sharing: there is no sharing model 'Privat', did you mean 'Private'?"
                " (correct the name)"
            ),
            "policy: role 'R' stands twice (remove or rename one)",
            "policy group G: there is no role 'Q' (correct the name)",
        ] == [str(one) for one in caught.value.problems]
