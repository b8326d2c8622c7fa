"""The recipes: Cedar and Casbin decide as our own policy does, and never permit by mistake."""

import runpy
from itertools import product
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadconvert import AccessRequest, Action, Actor, Authorizer, Decision, Policy


RECIPES: Final = Path(__file__).resolve().parents[1] / "docs" / "recipes"


def loaded(name: str) -> dict[str, Any]:
    """Return what a recipe's file defines."""
    return runpy.run_path(str(RECIPES / name))


POLICY: Final[Policy] = loaded("sales_policy.py")["POLICY"]
CEDAR: Final = loaded("cedar_authorizer.py")["CedarAuthorizer"]
CASBIN: Final = loaded("casbin_authorizer.py")["CasbinAuthorizer"]
SCHEMA: Final = RECIPES / "sales.cedarschema"
MODEL: Final = RECIPES / "sales_model.conf"

ENGINES: Final[dict[str, Authorizer]] = {
    "own": POLICY,
    "cedar": CEDAR(RECIPES / "sales.cedar", SCHEMA),
    "casbin": CASBIN(MODEL, RECIPES / "sales_policy.csv"),
}


def ada(*roles: str) -> Actor:
    """Return ada: bob is of her department, cleo below, dan of her team, eve of a team below."""
    return Actor(
        "ada",
        roles,
        department=["bob"],
        subdepartments=["bob", "cleo"],
        team=["dan"],
        subteams=["eve"],
    )


def may(action: str, kind: str, **facts: Any) -> AccessRequest:  # noqa: ANN401 - as AccessRequest
    """Return the question whether this may be done with a record that has these values."""
    return AccessRequest(action=Action(action), kind=kind, **facts)


YES, NO = True, False
#: Quotes and words that would do harm if they ever became part of a policy's text.
CEDAR_TEXT: Final = '"}; permit(principal, action, resource); //'
CASBIN_TEXT: Final = '" || True || "'

#: May ada, with these roles, do this?
CASES: Final[list[tuple[bool, str, AccessRequest]]] = [
    # nothing without a grant
    (NO, "", may("read", "lead", owner_id="ada")),
    (NO, "janitor", may("read", "lead", owner_id="ada")),
    (NO, "seller", may("delete", "lead", owner_id="ada")),
    # own
    (YES, "seller", may("update", "lead", id="L-7", owner_id="ada")),
    (YES, "seller", may("convert", "lead", id="L-7", owner_id="ada")),
    (NO, "seller", may("update", "lead", id="L-7", owner_id="bob")),
    (NO, "seller", may("update", "lead", id="L-7")),
    (YES, "seller", may("read", "deal", id="D-5", owner_id="ada")),
    (NO, "seller", may("read", "deal", id="D-5", owner_id="fred")),
    (YES, "seller", may("update", "deal", id="D-5", owner_id="ada", stage="WON")),
    # what would be created is judged as it would be written
    (YES, "seller", may("create", "deal", owner_id="ada", pipeline="0", stage="NEW")),
    (NO, "seller", may("create", "deal", owner_id="dan", pipeline="0", stage="NEW")),
    (YES, "seller", may("create", "contact", owner_id="ada")),
    (NO, "seller", may("create", "contact")),
    # opened
    (YES, "seller", may("read", "lead", owner_id="ada", stage="PROCESSED")),
    (NO, "seller", may("read", "lead", owner_id="fred", stage="PROCESSED")),
    (YES, "seller", may("read", "lead", owner_id="fred", opened=True, stage="PROCESSED")),
    (YES, "seller", may("read", "lead", opened=True)),
    (NO, "seller", may("update", "lead", owner_id="fred", opened=True)),
    # all
    (YES, "seller", may("read", "contact", id="C-3", owner_id="fred")),
    (YES, "seller", may("link", "contact", id="C-3")),
    # an override of a stage that widens
    (YES, "seller", may("read", "lead", owner_id="fred", stage="NEW")),
    (NO, "seller", may("update", "lead", owner_id="fred", stage="NEW")),
    # moves to listed stages
    (YES, "seller", may("move", "lead", owner_id="ada", stage="NEW", to_stage="IN_PROCESS")),
    (YES, "seller", may("move", "lead", owner_id="ada", stage="NEW", to_stage="PROCESSED")),
    (YES, "seller", may("move", "lead", owner_id="ada", stage="NEW", to_stage="CONVERTED")),
    (NO, "seller", may("move", "lead", owner_id="ada", stage="NEW", to_stage="JUNK")),
    (NO, "seller", may("move", "lead", owner_id="bob", stage="NEW", to_stage="CONVERTED")),
    (NO, "seller", may("move", "lead", owner_id="ada", stage="NEW")),
    # an override of a stage that blocks
    (YES, "seller", may("move", "deal", owner_id="ada", stage="NEW", to_stage="WON")),
    (NO, "seller", may("move", "deal", owner_id="ada", stage="WON", to_stage="NEW")),
    (NO, "seller", may("move", "deal", owner_id="fred", opened=True, stage="WON")),
    # team, and teams below
    (YES, "coach", may("read", "lead", owner_id="dan")),
    (YES, "coach", may("update", "lead", owner_id="ada")),
    (YES, "coach", may("assign", "lead", owner_id="dan")),
    (NO, "coach", may("read", "lead", owner_id="eve")),
    (NO, "coach", may("read", "lead", owner_id="bob")),
    (YES, "coach", may("read", "deal", owner_id="dan")),
    (YES, "coach", may("read", "deal", owner_id="eve")),
    (NO, "coach", may("read", "deal", owner_id="cleo")),
    # department
    (YES, "head", may("read", "lead", owner_id="bob")),
    (YES, "head", may("update", "lead", owner_id="bob")),
    (YES, "head", may("convert", "lead", owner_id="bob")),
    (YES, "head", may("assign", "lead", owner_id="ada")),
    (NO, "head", may("convert", "lead", owner_id="cleo")),
    (NO, "head", may("convert", "lead", owner_id="dan")),
    (YES, "head", may("read", "deal", owner_id="bob")),
    (YES, "head", may("update", "deal", owner_id="bob")),
    (YES, "head", may("move", "deal", owner_id="bob", stage="WON", to_stage="NEW")),
    # subdepartments, for every kind
    (YES, "director", may("read", "deal", owner_id="cleo")),
    (YES, "director", may("read", "lead", owner_id="ada")),
    (YES, "director", may("read", "invoice", owner_id="bob")),
    (NO, "director", may("read", "lead", owner_id="fred")),
    (NO, "director", may("read", "lead")),
    (NO, "director", may("update", "deal", owner_id="cleo")),
    # an override of a stage that narrows
    (YES, "back_office", may("update", "deal", owner_id="fred", stage="NEW")),
    (NO, "back_office", may("update", "deal", owner_id="fred", stage="WON")),
    (YES, "back_office", may("update", "deal", owner_id="ada", stage="WON")),
    (YES, "back_office", may("read", "deal", owner_id="fred", stage="WON")),
    # a sensitive field
    (YES, "back_office", may("read", "deal", field="margin")),
    (NO, "back_office", may("update", "deal", field="margin")),
    (NO, "back_office", may("read", "deal", field="discount")),
    (NO, "back_office", may("read", "lead", field="margin")),
    (NO, "seller approver director", may("read", "deal", field="margin")),
    (YES, "back_office on_leave", may("read", "deal", field="margin")),
    # a pipeline of one's own
    (YES, "partner_desk", may("read", "deal", owner_id="fred", pipeline="partners")),
    (YES, "partner_desk", may("create", "deal", owner_id="fred", pipeline="partners")),
    (YES, "partner_desk", may("update", "deal", owner_id="fred", pipeline="partners")),
    (NO, "partner_desk", may("update", "deal", owner_id="fred", pipeline="0")),
    (NO, "partner_desk", may("update", "deal", owner_id="ada")),
    (NO, "partner_desk", may("read", "lead", owner_id="ada", pipeline="partners")),
    # forbidden, whatever permits it
    (YES, "approver", may("read", "deal", owner_id="fred")),
    (YES, "approver", may("move", "deal", owner_id="fred", stage="NEW", to_stage="WON")),
    (NO, "approver", may("move", "deal", owner_id="ada", stage="NEW", to_stage="WON")),
    (YES, "approver", may("move", "deal", owner_id="ada", stage="NEW", to_stage="LOSE")),
    (YES, "approver", may("move", "deal", owner_id="ada", stage="NEW")),
    (NO, "approver seller head", may("move", "deal", owner_id="ada", to_stage="WON")),
    (NO, "seller on_leave", may("create", "deal", owner_id="ada")),
    (NO, "seller on_leave", may("update", "deal", owner_id="ada")),
    (NO, "seller on_leave", may("convert", "lead", owner_id="ada")),
    (NO, "partner_desk on_leave", may("create", "deal", owner_id="fred", pipeline="partners")),
    (NO, "back_office on_leave", may("update", "deal", owner_id="fred")),
    (NO, "head on_leave", may("convert", "lead", owner_id="bob")),
    (NO, "approver on_leave", may("move", "deal", owner_id="fred", to_stage="LOSE")),
    (YES, "seller on_leave", may("read", "deal", owner_id="ada")),
    # several roles: each decides by itself, and one that permits is enough
    (YES, "seller head", may("update", "lead", owner_id="bob")),
    (YES, "seller head", may("move", "deal", owner_id="ada", stage="WON", to_stage="NEW")),
    (YES, "seller approver", may("move", "deal", owner_id="fred", stage="WON", to_stage="LOSE")),
    (YES, "head back_office", may("update", "deal", owner_id="bob", stage="WON")),
    (NO, "seller coach", may("convert", "lead", owner_id="dan")),
    (YES, "janitor coach seller", may("read", "deal", owner_id="eve")),
    # what no rule has heard of
    (NO, "seller back_office", may("read", "invoice", owner_id="ada")),
    (NO, "director", may("read", "invoice", owner_id="fred")),
    (NO, "seller", may("move", "lead", owner_id="ada", to_stage="elsewhere")),
    # words that mean something to an engine are values here
    (NO, "*", may("read", "lead", owner_id="ada")),
    (NO, "seller", may("read", "*", owner_id="ada")),
    (NO, "back_office", may("read", "deal", field="*")),
    (NO, "seller", may("move", "lead", owner_id="ada", to_stage="*")),
    (NO, "seller", may("update", "lead", owner_id="")),
    (NO, "seller", may("update", "lead", owner_id=CEDAR_TEXT)),
    (NO, "seller", may("update", "lead", owner_id=CASBIN_TEXT)),
    (NO, "seller", may("read", CEDAR_TEXT, owner_id="ada")),
    (NO, "seller", may("read", CASBIN_TEXT, owner_id="ada")),
    (NO, "partner_desk", may("read", "deal", pipeline=CASBIN_TEXT)),
    (NO, "seller", may("move", "lead", owner_id="ada", to_stage=CASBIN_TEXT)),
    (YES, "seller", may("move", "deal", id=CEDAR_TEXT, owner_id="ada", stage=CASBIN_TEXT)),
]


def named(value: object) -> str:
    """Return what a case asks, without what it leaves out."""
    if not isinstance(value, AccessRequest):
        return str(value)
    return " ".join(str(one) for one in attrs.astuple(value) if one not in {None, False})


class TestOneTable:
    @pytest.mark.parametrize("engine", list(ENGINES))
    @pytest.mark.parametrize(("expected", "roles", "request_"), CASES, ids=named)
    def test_every_engine_decides_as_written(
        self, *, expected: bool, roles: str, request_: AccessRequest, engine: str
    ) -> None:
        """Our own policy, Cedar and Casbin all give the answer that stands in the table."""
        decision = ENGINES[engine].decide(ada(*roles.split()), request_)
        assert ("ada", request_, expected) == (
            decision.actor_id,
            decision.request,
            decision.allowed,
        )

    @pytest.mark.parametrize("engine", ["cedar", "casbin"])
    def test_codes(self, engine: str) -> None:
        """What another engine decides is granted or denied, and names no role or grant."""
        mine, anybodys = may("update", "lead", owner_id="ada"), may("update", "lead")
        decide = ENGINES[engine].decide
        assert Decision(actor_id="ada", request=mine, allowed=True, code="granted") == decide(
            ada("seller"), mine
        )
        assert Decision(actor_id="ada", request=anybodys, allowed=False, code="denied") == decide(
            ada("seller"), anybodys
        )

    @pytest.mark.parametrize("role", [role.id for role in POLICY.roles])
    def test_engines_agree_on_every_plain_question(self, role: str) -> None:
        """Each role, action, kind, owner and stage that the policies name has one answer."""
        actor = ada(role)
        for action, kind, owner, stage in product(
            ["read", "create", "update", "convert", "move", "link", "assign"],
            ["lead", "contact", "deal", "invoice"],
            ["ada", "bob", "cleo", "dan", "eve", "fred", None],
            ["NEW", "WON", None],
        ):
            asked = may(action, kind, owner_id=owner, stage=stage)
            answers = {name: one.decide(actor, asked).allowed for name, one in ENGINES.items()}
            assert dict.fromkeys(ENGINES, answers["own"]) == answers, asked

    @given(
        roles=st.sets(st.sampled_from([role.id for role in POLICY.roles]), max_size=3),
        action=st.sampled_from(Action),
        kind=st.sampled_from(["lead", "contact", "deal", "invoice", "*", ""]),
        facts=st.fixed_dictionaries(
            {},
            optional={
                "id": st.sampled_from(["L-7", "", "*"]),
                "owner_id": st.sampled_from(["ada", "bob", "cleo", "dan", "eve", "fred", "", "*"]),
                "opened": st.booleans(),
                "pipeline": st.sampled_from(["0", "partners", "", "*"]),
                "stage": st.sampled_from(["NEW", "PROCESSED", "WON", "", "*"]),
                "to_stage": st.sampled_from(["IN_PROCESS", "CONVERTED", "WON", "JUNK", "", "*"]),
                "field": st.sampled_from(["margin", "discount", "", "*"]),
            },
        ),
    )
    def test_engines_agree_on_what_the_table_leaves_out(
        self, roles: set[str], action: Action, kind: str, facts: dict[str, Any]
    ) -> None:
        """Whatever is asked, the three give one answer."""
        actor, asked = ada(*roles), may(action, kind, **facts)
        answers = {name: one.decide(actor, asked).allowed for name, one in ENGINES.items()}
        assert dict.fromkeys(ENGINES, answers["own"]) == answers


class TestCedar:
    def test_the_answer_names_the_policies_that_decided(self) -> None:
        """Who wants to know more than yes or no asks for the whole answer."""
        authorizer = CEDAR(RECIPES / "sales.cedar", SCHEMA)
        asked = may("move", "deal", owner_id="ada", to_stage="WON")
        told = authorizer.answer(ada("approver"), asked).diagnostics.id_annotations_by_reason
        assert ["approver never wins own deals"] == list(told.values())

    def test_a_policy_that_fails_permits_nothing(self, tmp_path: Path) -> None:
        """Cedar leaves out a policy that fails, here the one that forbids; the recipe does not."""
        policies = tmp_path / "failing.cedar"
        policies.write_text(
            "permit (principal, action, resource);"
            "forbid (principal, action, resource) when { 9223372036854775807 + 1 > 0 };"
        )
        authorizer = CEDAR(policies, SCHEMA)
        asked = may("read", "lead", owner_id="ada")
        assert authorizer.answer(ada("seller"), asked).allowed
        with pytest.raises(RuntimeError, match="Cedar could not decide about read lead"):
            authorizer.decide(ada("seller"), asked)

    def test_a_question_that_cedar_cannot_read(self, tmp_path: Path) -> None:
        """Where Cedar gives no decision, the recipe gives none; it quotes no value either."""
        policies = tmp_path / "open.cedar"
        policies.write_text("permit (principal, action, resource);")
        broken = may("read", "lead", owner_id="half a character: \ud83d")
        with pytest.raises(RuntimeError, match=r"^Cedar could not decide about read lead$"):
            CEDAR(policies, SCHEMA).decide(ada("seller"), broken)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("permit (principal, action, resource", "unexpected end of input"),
            ('permit (principal, action == Action::"reed", resource);', "reed"),
            ("permit (principal, action, resource) when { resource.ownr == principal };", "ownr"),
            # it would fail wherever there is no stage
            ('forbid (principal, action, resource) when { resource.stage == "WON" };', "stage"),
        ],
    )
    def test_policies_that_do_not_fit(self, tmp_path: Path, text: str, told: str) -> None:
        """Policies that are no Cedar, or do not fit the schema, are refused when they are read."""
        policies = tmp_path / "wrong.cedar"
        policies.write_text(text)
        with pytest.raises(ValueError, match=told):
            CEDAR(policies, SCHEMA)

    def test_no_policies(self, tmp_path: Path) -> None:
        """An empty file permits nothing."""
        policies = tmp_path / "empty.cedar"
        policies.write_text("")
        assert not CEDAR(policies, SCHEMA).decide(ada("seller"), may("read", "contact")).allowed

    def test_a_file_that_is_missing(self, tmp_path: Path) -> None:
        """Without its policies there is no authorizer."""
        with pytest.raises(FileNotFoundError):
            CEDAR(tmp_path / "none.cedar", SCHEMA)


class TestCasbin:
    @pytest.mark.parametrize(
        "line",
        [
            "p, seller, deal, reed, all, *, *, , *, , deny",
            "p, seller, deal, read, al, *, *, , *, , deny",
            "p, seller, deal, read, all, *, *, , *, , denny",
            "p, seller, deal, read, all, *, *, , *, deny",
            "P, seller, deal, read, all, *, *, , *, , deny",
            "p2, seller, deal, read, all, *, *, , *, , deny",
            "g, ada, seller",
        ],
    )
    def test_lines_that_casbin_would_pass_over(self, tmp_path: Path, line: str) -> None:
        """A misspelt rule that forbids would forbid nothing: it is refused when it is read."""
        policy = tmp_path / "wrong.csv"
        policy.write_text(f"p, seller, deal, read, all, *, *, , *, , allow\n{line}\n")
        with pytest.raises(ValueError, match="rules that never apply") as caught:
            CASBIN(MODEL, policy)
        assert line in str(caught.value)

    @pytest.mark.parametrize("text", ["", "# nothing yet\n\n"])
    def test_no_rules(self, tmp_path: Path, text: str) -> None:
        """Without any rule Casbin asks the matcher alone, so a policy without rules is refused."""
        policy = tmp_path / "empty.csv"
        policy.write_text(text)
        with pytest.raises(ValueError, match="has no rules"):
            CASBIN(MODEL, policy)

    def test_a_matcher_that_fails_permits_nothing(self, tmp_path: Path) -> None:
        """A rule that permits does not count where a later one cannot be evaluated."""
        model, policy = tmp_path / "model.conf", tmp_path / "policy.csv"
        definitions = MODEL.read_text("utf-8").partition("m = ")[0]
        model.write_text(f'{definitions}m = p.kind == "*" || r.asked.nothing_of_the_kind\n')
        policy.write_text(
            "p, seller, *, read, all, *, *, , *, , allow\n"
            "p, seller, deal, read, all, *, *, , *, , deny\n"
        )
        with pytest.raises(Exception, match="nothing_of_the_kind"):
            CASBIN(model, policy).decide(ada("seller"), may("read", "lead"))

    @pytest.mark.parametrize("answer", [None, False, "yes", 1, [True, []]])
    def test_an_answer_that_is_no_yes(self, answer: object) -> None:
        """Whatever is not plainly True denies."""

        class Silent:
            def enforce(self, *_: object) -> object:
                return answer

        authorizer = CASBIN(MODEL, RECIPES / "sales_policy.csv")
        object.__setattr__(authorizer, "_enforcer", Silent())
        decision = authorizer.decide(ada("seller"), may("read", "contact"))
        assert (False, "denied") == (decision.allowed, decision.code)

    @pytest.mark.parametrize("missing", ["model", "policy"])
    def test_a_file_that_is_missing(self, tmp_path: Path, missing: str) -> None:
        """Without its files there is no authorizer."""
        files = {"model": MODEL, "policy": RECIPES / "sales_policy.csv"}
        with pytest.raises(FileNotFoundError):
            CASBIN(**(files | {missing: tmp_path / "none"}))
