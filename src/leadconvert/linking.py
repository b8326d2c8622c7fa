"""Pointing at records that exist: each is read and linked, or told as one that is not there."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

import attrs

from leadconvert.access import Action
from leadconvert.kinds import Kind
from leadconvert.problems import Cause, Problem
from leadconvert.records import Record
from leadconvert.rights import Rights
from leadconvert.rules import ConversionRules
from leadconvert.values import Ref, ids_in


__all__ = ["Links", "there"]


@attrs.frozen(kw_only=True)
class Links:
    """Says what is wrong with the references of a record, given what is *there* and *made* here.

    Example:
        >>> from leadconvert import Actor, Ref, presets
        >>> from leadconvert.problems import Cause
        >>> from leadconvert.linking import Links
        >>> from leadconvert.rights import Rights
        >>> rules = presets.bitrix24()
        >>> rights = Rights(actor=Actor("u-7"), authorizer=rules.policy, rules=rules)
        >>> links = Links(rights=rights, there={}, made=frozenset())
        >>> values = {"company_id": "CO-9"}
        >>> [one.code for one in links.problems(rules.kind("deal"), values, Cause.LEAD_ACCESS)]
        ['unknown_record']
    """

    rights: Rights
    there: Mapping[Ref, Record]
    #: The refs of the other targets of the same decision, which need no more rights.
    made: AbstractSet[Ref] = frozenset()

    def problems(
        self,
        kind: Kind,
        values: Mapping[str, object],
        cause: Cause,
        target: int | None = None,
        record: Record | None = None,
    ) -> Iterator[Problem]:
        """Yield what is wrong with each reference among *values*; *cause* is that of a denial.

        What the *record* that gets them points at already is not asked about again.

        Example:
            >>> from leadconvert import Actor, Company, Policy, Ref, presets
            >>> from leadconvert.problems import Cause
            >>> from leadconvert.linking import Links
            >>> from leadconvert.rights import Rights
            >>> rules, everything = presets.bitrix24(), Policy.allow_all()
            >>> rights = Rights(actor=Actor("u-7"), authorizer=everything, rules=rules)
            >>> links = Links(
            ...     rights=rights, there={Ref("company", "CO-9"): Company(id="CO-9")}
            ... )
            >>> values = {"company_id": "CO-9"}
            >>> list(links.problems(rules.kind("deal"), values, Cause.LEAD_ACCESS))
            []
        """
        for name, field in kind.references.items():
            old = () if record is None else ids_in(kind.read(record, name))
            for id_ in ids_in(values.get(name)):
                ref = Ref(str(field.to), id_)
                if id_ in old or not self.made.isdisjoint(
                    {ref, attrs.evolve(ref, provisional=True)}
                ):
                    continue
                found = self.readable(ref)
                if found is None:
                    yield Problem(
                        cause=Cause.INVALID,
                        code="unknown_record",
                        target=target,
                        kind=kind.id,
                        field=name,
                        params={"to": ref.kind},
                    )
                else:
                    asked = self.rights.with_record(self._kind(ref), found, Action.LINK)
                    denial = self.rights.denial(asked, cause, target)
                    if denial is not None:
                        yield denial

    def readable(self, ref: Ref) -> Record | None:
        """Return the record *ref* points at; one not to be read is as good as not there.

        Example:
            >>> from leadconvert import Actor, Deal, Ref, presets
            >>> from leadconvert.linking import Links
            >>> from leadconvert.rights import Rights
            >>> rules, ref = presets.bitrix24(), Ref("deal", "D-5")
            >>> rights = Rights(actor=Actor("u-7"), authorizer=rules.policy, rules=rules)
            >>> Links(rights=rights, there={ref: Deal(id="D-5")}).readable(ref) is None
            True
        """
        record = self.there.get(ref)
        if record is None:
            return None
        asked = self.rights.with_record(self._kind(ref), record, Action.READ)
        return record if self.rights.may(asked) else None

    def _kind(self, ref: Ref) -> Kind:
        """Return the kind of a record that is there, which is one of the rules'."""
        every = self.rights.rules.every_kind
        return next(kind for kind in every if kind.id == ref.kind)


def there(rules: ConversionRules, records: Iterable[Record]) -> dict[Ref, Record]:
    """Return the *records* of the rules' kinds by their refs; others are passed over.

    Example:
        >>> from leadconvert import Deal, presets
        >>> from leadconvert.linking import there
        >>> [str(ref) for ref in there(presets.bitrix24(), [Deal(id="D-5")])]
        ['deal D-5']
    """
    found = ((rules.kind_of(record), record) for record in records)
    return {Ref(kind.id, record.id): record for kind, record in found if kind is not None}
