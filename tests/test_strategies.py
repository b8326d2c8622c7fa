"""What the strategies promise: they draw what fits, and everything that fits can be drawn."""

from datetime import datetime

import attrs
import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from leadconvert import (
    ConversionRules,
    Create,
    Field,
    FieldType,
    Lead,
    StageRole,
    plan,
    presets,
    testing,
)
