"""Rules ready to use, and readers of the systems they come from.

`presets.bitrix24` and `presets.salesforce` are called to get the rules; their methods read and
write what that system speaks.
"""

from leadconvert.presets._bitrix24 import Bitrix24, bitrix24
from leadconvert.presets._salesforce import Salesforce, salesforce


__all__ = ["Bitrix24", "Salesforce", "bitrix24", "salesforce"]
