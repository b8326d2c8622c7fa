"""What may come of a lead in a run, besides what comes of it anywhere."""

import attrs

from leadconvert import ConversionResult


__all__ = ["Before"]


@attrs.frozen
class Before:
    """A lead that an earlier run converted in the same way: nothing was changed now."""

    result: ConversionResult
