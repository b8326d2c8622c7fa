"""What other change sets make before this one is applied, and which of them it has to wait for."""

from collections.abc import Iterable

import attrs

from leadconvert.changes import ChangeSet, Insert, Update
from leadconvert.linking import there
from leadconvert.plans import Draft
from leadconvert.records import Record
from leadconvert.rules import ConversionRules
from leadconvert.targets import Pending
from leadconvert.values import Ref, ids_in


__all__ = ["Preceding"]


def _pending(values: Iterable[Pending]) -> tuple[Pending, ...]:
    return tuple(values)


@attrs.frozen(kw_only=True)
class Preceding:
    """Knows the records that no store holds yet, by the refs they will have.

    Example:
        >>> from leadconvert import Company, Pending, presets
        >>> from leadconvert.preceding import Preceding
        >>> made = Pending(Company(id="L-1.1.company.1"), "L-1/0/9f2c")
        >>> [str(ref) for ref in Preceding(rules=presets.bitrix24(), pending=[made]).refs]
        ['company L-1.1.company.1']
    """

    rules: ConversionRules
    pending: tuple[Pending, ...] = attrs.field(converter=_pending)

    @property
    def refs(self) -> dict[Ref, Record]:
        """The records by their refs, as if they were stored."""
        return there(self.rules, [one.record for one in self.pending])

    @property
    def provisional(self) -> dict[Ref, Record]:
        """The records by their refs as a change set names them: provisional."""
        return {attrs.evolve(ref, provisional=True): one for ref, one in self.refs.items()}

    def keys(
        self, changes: ChangeSet, settled: Iterable[Ref], drafts: Iterable[Draft]
    ) -> tuple[str, ...]:
        """Return the keys of the change sets that make or change what these refer to or saw.

        Example:
            >>> from leadconvert import ChangeSet, Company, Pending, presets
            >>> from leadconvert.preceding import Preceding
            >>> made = Pending(Company(id="L-1.1.company.1"), "L-1/0/9f2c")
            >>> preceding = Preceding(rules=presets.bitrix24(), pending=[made])
            >>> preceding.keys(ChangeSet(key="k", fingerprint="f"), preceding.refs, [])
            ('L-1/0/9f2c',)
        """
        if not self.pending:
            return ()
        kinds = {kind.id: kind for kind in self.rules.kinds}
        used = {ref.stored for ref in settled}
        for change in changes.changes:
            if isinstance(change, Insert | Update):
                used |= {ref.stored for claim in change.claims for ref in claim.seen}
        used |= {
            Ref(str(field.to), id_)
            for draft in drafts
            for name, field in kinds[draft.ref.kind].references.items()
            for id_ in ids_in(draft.values.get(name))
        }
        pending = ((one.key, there(self.rules, [one.record])) for one in self.pending)
        return tuple(dict.fromkeys(key for key, refs in pending if not used.isdisjoint(refs)))
