"""Rules ready to use, and readers of the systems they come from.

`presets.bitrix24` is called to get the rules, and reads that system's leads.
"""

from leadconvert.presets._bitrix24 import Bitrix24, bitrix24


__all__ = ["Bitrix24", "bitrix24"]
