"""What taking a conversion back gives: the lead and its records as they will be, or why not."""

import attrs

from leadconvert.access import AccessRequest
from leadconvert.changes import ChangeSet, Receipt, Update
from leadconvert.errors import refusal
from leadconvert.past import Conversion
from leadconvert.problems import Problem
from leadconvert.records import Lead, Record, changed
from leadconvert.values import Ref


__all__ = ["Reversal", "ReversalPlan"]


@attrs.frozen(kw_only=True, repr=False)
class Reversal:
    """A conversion taken back, decided whole: the lead as it will be, and the changes.

    *conversions* are those taken back, as the lead remembers them; *restored* the records that are
    given back what they held before, as they will be; *removed* what the conversion had made;
    *released* what is let go and stays; *kept* why something could not be taken back.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, presets, reverse
        >>> reverse(
        ...     Lead(id="L-7", stage="CONVERTED"), rules=presets.bitrix24(), keep=True,
        ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        <Reversal of lead L-7: removed nothing>
    """

    lead: Lead
    conversions: tuple[Conversion, ...]
    restored: tuple[Record, ...]
    removed: tuple[Ref, ...]
    released: tuple[Ref, ...]
    kept: tuple[Problem, ...]
    changes: ChangeSet

    def stored(self, receipt: Receipt) -> "Reversal":
        """Return this result as stored: with the store's new revisions.

        Example:
            >>> from datetime import UTC, datetime
            >>> from leadconvert import Actor, Lead, Receipt, Ref, presets, reverse
            >>> reopened = reverse(
            ...     Lead(id="L-7", stage="CONVERTED"), rules=presets.bitrix24(), keep=True,
            ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
            ... )
            >>> reopened.stored(Receipt(revisions=[(Ref("lead", "L-7"), "9")])).lead.revision
            '9'
        """
        revisions = dict(receipt.revisions)
        updated = [one.ref for one in self.changes.changes if isinstance(one, Update)]
        restored = (
            changed(record, {"revision": revisions.get(ref, record.revision)})
            for ref, record in zip(updated, self.restored, strict=False)
        )
        revision = revisions.get(updated[-1], self.lead.revision)
        lead = attrs.evolve(self.lead, revision=revision)
        return attrs.evolve(self, lead=lead, restored=tuple(restored))

    def __repr__(self) -> str:
        removed = ", ".join(map(str, self.removed)) or "nothing"
        return f"<Reversal of lead {self.lead.id}: removed {removed}>"


@attrs.frozen(kw_only=True, repr=False)
class ReversalPlan:
    """What taking a conversion back would do, with everything that stands in the way.

    *problems* are what is in the way. Where `partial` is true, it is only of single records:
    ``partial=True`` takes back all else, and tells the rest in *kept*. *required_access* lists
    every question about access.

    Example:
        >>> from datetime import UTC, datetime
        >>> from leadconvert import Actor, Lead, plan_reversal, presets
        >>> p = plan_reversal(
        ...     Lead(id="L-7", stage="NEW"), rules=presets.bitrix24(),
        ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
        ... )
        >>> p, p.partial
        (<ReversalPlan for lead L-7: nothing_to_undo>, False)
    """

    lead: Lead
    problems: tuple[Problem, ...]
    partial: bool
    required_access: tuple[AccessRequest, ...]
    #: Stands for the request, as in the change set it comes to.
    fingerprint: str
    reversal: Reversal | None

    @property
    def ok(self) -> bool:
        """Whether nothing stands in the way."""
        return self.reversal is not None

    @property
    def kept(self) -> tuple[Problem, ...]:
        """What stays, and why, of a plan that goes ahead without it."""
        return () if self.reversal is None else self.reversal.kept

    def result(self) -> Reversal:
        """Return the result of a plan without problems.

        Raises:
            leadconvert.errors.ConversionError: there are problems; its class is that of the first
                cause among them, and it carries them all.

        Example:
            >>> from datetime import UTC, datetime
            >>> from leadconvert import Actor, Lead, plan_reversal, presets
            >>> plan_reversal(
            ...     Lead(id="L-7", stage="CONVERTED"), rules=presets.bitrix24(), keep=True,
            ...     actor=Actor("u-1", roles=["admin"]), at=datetime(2027, 1, 31, tzinfo=UTC),
            ... ).result().lead.stage
            'NEW'
        """
        if self.reversal is None:
            raise refusal(self.lead.id, self.problems)
        return self.reversal

    def __repr__(self) -> str:
        wrong = ", ".join(problem.code for problem in self.problems)
        return f"<ReversalPlan for lead {self.lead.id}: {wrong or 'ok'}>"
