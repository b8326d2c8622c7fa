"""What may come of a lead in a run, besides what comes of it anywhere."""

import attrs

from leadconvert import ConversionResult, Converted, Rejected
from leadconvert.errors import StoreError


__all__ = ["Before", "Outcome", "Unstored"]


@attrs.frozen
class Before:
    """A lead that an earlier run converted in the same way: nothing was changed now."""

    result: ConversionResult


@attrs.frozen
class Unstored:
    """A lead that the store refused, and why."""

    lead_id: str
    error: StoreError


#: What came of one lead.
Outcome = Converted | Before | Rejected | Unstored
