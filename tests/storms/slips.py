"""Rules files with slips in them: each is read, or refused with mistakes at paths that exist."""

import json
import random
from collections import Counter
from typing import Final

from hypothesis import HealthCheck, Phase, given, seed, settings
from mutations import mutated, strange, text_of
from storms.world import Report

from leadconvert import ConversionRules, config
from leadconvert.errors import DefinitionError
from leadconvert.testing import BOUND, complete_rules


__all__ = ["mutations"]

#: So many files are made of one set of rules.
_EACH: Final = 20
_FORMS: Final = ("toml", "json")


def mutations(files: int, start: int) -> Report:
    """Put slips into that many files of rules, and return what came of reading them."""
    chance = random.Random(start)  # noqa: S311 - slips are no secrets
    found: Counter[str] = Counter()

    @seed(start)
    @settings(
        max_examples=-(-files // _EACH),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(complete_rules())
    def tried(rules: ConversionRules) -> None:
        data = json.loads(config.dumps(rules, "json"))
        for _ in range(_EACH):
            _try(mutated(data, chance, chance.choice([1, 1, 2, 3])), chance, found)

    while found["files"] < files:  # there may be fewer rules than asked for
        tried()
    names = ("files", "read", "refused", "refused without a mistake", "places that are not there")
    counted = {name: found[name] for name in (*names, "other errors")}
    promised = dict.fromkeys([*names[3:], "other errors"], 0)
    return Report(counted, promised)


def _try(data: dict[str, object], chance: random.Random, found: Counter[str]) -> None:
    form = chance.choice(_FORMS)
    found["files"] += 1
    try:
        # what stands behind the names is of several types
        config.loads(text_of(data, form), form, **BOUND)  # type: ignore[arg-type]
    except DefinitionError as error:
        found["refused"] += 1
        found["refused without a mistake"] += not error.problems
        found["places that are not there"] += len(strange(error.problems, data))
    except Exception:  # noqa: BLE001 - that there is none is what is tried
        found["other errors"] += 1
    else:
        found["read"] += 1
