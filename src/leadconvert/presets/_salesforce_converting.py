"""Reads what Salesforce is asked when a lead is converted, and answers as it would."""

from collections.abc import Mapping
from typing import Final

import attrs

from leadconvert import ConversionResult, ConversionRules, Create, Lead, Merge, StageRole, Target
from leadconvert.errors import (
    AccessDeniedError,
    AlreadyConvertedError,
    AmbiguousMatchError,
    ConversionError,
    MissingFieldsError,
    StageNotAllowedError,
)
from leadconvert.given import named
from leadconvert.presets._salesforce_names import ACCOUNT, CONTACT, OPPORTUNITY, SHAPES, Shape
from leadconvert.presets._salesforce_reading import supplied
from leadconvert.problems import did_you_mean
from leadconvert.values import is_empty


__all__ = ["answer", "targets"]

_TEXTS: Final = (
    "leadId",
    "convertedStatus",
    "accountId",
    "contactId",
    "opportunityId",
    "opportunityName",
    "ownerId",
)
_FLAGS: Final = ("doNotCreateOpportunity", "overwriteLeadSource")
_RECORDS: Final = ("accountRecord", "contactRecord", "opportunityRecord")
#: What says nothing of what becomes of the lead.
_PASSED_OVER: Final = (
    "sendNotificationEmail",
    "bypassAccountDedupeCheck",
    "bypassContactDedupeCheck",
)
_NAMES: Final = (*_TEXTS, *_FLAGS, *_RECORDS, *_PASSED_OVER)
#: What the id of every queue begins with.
_QUEUE: Final = "00G"

#: What an error of ours is called there.
_STATUS_CODES: Final = (
    (AccessDeniedError, "INSUFFICIENT_ACCESS_OR_READONLY"),
    (AlreadyConvertedError, "CANNOT_UPDATE_CONVERTED_LEAD"),
    (StageNotAllowedError, "INVALID_STATUS"),
    (AmbiguousMatchError, "DUPLICATES_DETECTED"),
    (MissingFieldsError, "REQUIRED_FIELD_MISSING"),
)


def targets(request: object, lead: Lead, rules: ConversionRules) -> tuple[Target, ...]:
    """Return what a *request* to convert *lead* asks for.

    Raises:
        ValueError: what is wrong with it, all of it, each with its name.
    """
    if not isinstance(request, Mapping):
        given = named(type(request))
        raise ValueError(f"a request is an object, and this is {given}")  # noqa: TRY004 - data
    asked = _Asked({str(name): one for name, one in request.items()}, lead, rules)
    asked.check()
    found = (asked.account(), asked.contact(), asked.opportunity())
    if asked.mistakes:
        raise ValueError("; ".join(f"{mistake} @ LeadConvert" for mistake in asked.mistakes))
    return tuple(one for one in found if one is not None)


@attrs.define
class _Asked:
    """What was asked for, taken name by name, and what was wrong with it."""

    request: Mapping[str, object]
    lead: Lead
    rules: ConversionRules
    mistakes: list[str] = attrs.field(factory=list, init=False)

    def check(self) -> None:
        for name in self.request:
            if name not in _NAMES:
                guess = did_you_mean(name, _NAMES).get("did_you_mean")
                hint = f", did you mean {guess!r}?" if guess else ""
                self.mistakes.append(f"{name} is not known{hint}")
        if (id_ := self._text("leadId")) != self.lead.id:
            self.mistakes.append(f"leadId is {id_!r}, and the lead's is {self.lead.id!r}")
        success = self.rules.lead_pipeline.in_role(StageRole.SUCCESS)[0].id
        if (status := self._text("convertedStatus")) != success:
            told = f"convertedStatus is {status!r}, and leads are converted to {success!r}"
            self.mistakes.append(told)
        is_queue = str(self.lead.owner_id or "").startswith(_QUEUE)
        if is_queue and self._text("ownerId") is None:
            told = "ownerId is missing: a queue owns the lead, and can own nothing else"
            self.mistakes.append(told)

    def account(self) -> Target:
        return self._target(ACCOUNT, self._text("accountId"), {}, {})

    def contact(self) -> Target:
        id_, overwrites = self._text("contactId"), self._flag("overwriteLeadSource")
        if id_ is not None and self._text("accountId") is None:
            told = "accountId is missing: contactId needs the account of that contact"
            self.mistakes.append(told)
        if overwrites and id_ is None:
            told = "contactId is missing: overwriteLeadSource is about a contact that exists"
            self.mistakes.append(told)
        source = self.lead.source
        return self._target(
            CONTACT, id_, {}, {"source": source} if overwrites and not is_empty(source) else {}
        )

    def opportunity(self) -> Target | None:
        id_, name = self._text("opportunityId"), self._text("opportunityName")
        without = self._flag("doNotCreateOpportunity")
        if name is not None and (without or id_ is not None):
            self.mistakes.append("opportunityName is for a new opportunity, and none is made")
        if without and (id_ is not None or self.request.get("opportunityRecord") is not None):
            told = "doNotCreateOpportunity contradicts the opportunity that is asked for"
            self.mistakes.append(told)
        found = self._target(OPPORTUNITY, id_, {} if name is None else {"title": name}, {})
        return None if without else found

    def _target(
        self,
        shape: Shape,
        id_: str | None,
        made: Mapping[str, object],
        there: Mapping[str, object],
    ) -> Target:
        """Return what is made or merged into, with its values and those that are given for it."""
        values = self._record(shape)
        if id_ is not None:
            return Merge(shape.kind, id_, values={**there, **values})
        owner = self._text("ownerId")
        owned = {} if owner is None else {"owner_id": owner}
        return Create(shape.kind, values={**owned, **made, **values})

    def _text(self, name: str) -> str | None:
        value = self.request.get(name)
        if value is None or isinstance(value, str):
            return None if is_empty(value) else value
        if (told := f"{name} is no text") not in self.mistakes:
            self.mistakes.append(told)
        return None

    def _flag(self, name: str) -> bool:
        value = self.request.get(name)
        if not isinstance(value, bool | None):
            self.mistakes.append(f"{name} is neither true nor false")
        return value is True

    def _record(self, shape: Shape) -> dict[str, object]:
        name = f"{shape.object.lower()}Record"
        value = self.request.get(name)
        if not isinstance(value, Mapping | None):
            self.mistakes.append(f"{name} is no object")
        if not isinstance(value, Mapping):
            return {}
        return supplied(value, shape, self.rules, self.mistakes)


def answer(outcome: ConversionResult | ConversionError) -> dict[str, object]:
    """Return what the call to convert answers.

    Raises:
        ValueError: the lead became several records of one kind.
    """
    if isinstance(outcome, ConversionError):
        return _ids(outcome.lead_id, {}) | {
            "success": False,
            "errors": [_error(outcome)],
        }
    made: dict[str, str] = {}
    for one in outcome.outcomes:
        if made.setdefault(one.ref.kind, one.ref.id) != one.ref.id:
            raise ValueError(f"a lead becomes one {one.ref.kind} there, and this one became more")
    return _ids(outcome.lead.id, made) | {"success": True, "errors": []}


def _ids(lead_id: str, made: Mapping[str, str]) -> dict[str, object]:
    return {
        "leadId": lead_id,
        "accountId": made.get(ACCOUNT.kind),
        "contactId": made.get(CONTACT.kind),
        "opportunityId": made.get(OPPORTUNITY.kind),
    }


def _error(error: ConversionError) -> dict[str, object]:
    code = next((code for cls, code in _STATUS_CODES if isinstance(error, cls)), None)
    by_kind = {shape.kind: shape for shape in SHAPES}
    fields = [
        by_kind[problem.kind].name_of(problem.field)
        for problem in error.problems
        if problem.kind in by_kind and problem.field is not None
    ]
    return {
        "statusCode": code or "FIELD_INTEGRITY_EXCEPTION",
        "message": str(error),
        "fields": list(dict.fromkeys(fields)),
    }
