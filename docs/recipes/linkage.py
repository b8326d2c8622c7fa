# ruff: noqa: INP001 - beside a page, to be copied into a project; no package
"""Finds out offline which leads and contacts are one person: ids for a key ``cluster``.

It is built on splink and DuckDB, in memory: no file is written, nothing goes over the network.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any, Final, TypeVar

import attrs
import duckdb
import pyarrow as pa  # type: ignore[import-untyped]
import splink.comparison_library as cl
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from leadconvert import Contact, ConversionRules, Kind, Lead, Record, Ref


__all__ = ["FIELD", "clusters", "marked", "train"]

#: The text field of leads and contacts that holds the id of a cluster.
FIELD: Final = "UF_CLUSTER"

_Person = TypeVar("_Person", bound=Lead | Contact)
_SAME_EMAIL: Final = "l.emails[1] = r.emails[1]"
_SAME_PERSON: Final = "l.person = r.person"
#: Of how many pairs that are one person both hold: a guess, from which the learning starts.
_BOTH_HOLD: Final = 0.5
#: What is compared, and which pairs at all: those that have an e-mail, a phone or a name in common.
_SETTINGS: Final = SettingsCreator(
    link_type="dedupe_only",
    comparisons=[
        # that a rare name agrees says more than that a common one does
        cl.JaroWinklerAtThresholds("person", 0.92).configure(term_frequency_adjustments=True),
        cl.ArrayIntersectAtSizes("emails", 1),
        cl.ArrayIntersectAtSizes("phones", 1),
    ],
    blocking_rules_to_generate_predictions=[
        block_on("emails", arrays_to_explode=["emails"]),
        block_on("phones", arrays_to_explode=["phones"]),
        block_on("person"),
    ],
    retain_matching_columns=False,
    linker_uid="leadconvert",  # or else it is random, and no two models are equal
)
_COLUMNS: Final = pa.schema(
    {
        "unique_id": pa.string(),
        "person": pa.string(),
        "emails": pa.list_(pa.string()),
        "phones": pa.list_(pa.string()),
    }
)


def train(records: Iterable[Record], rules: ConversionRules) -> dict[str, Any]:
    """Learn from the records how much each agreement is worth: a model that fits into JSON.

    Raises:
        ValueError: the records do not show all there is to learn. Where none agree at all, splink
            raises errors of its own.
    """
    linker = _linker(_rows(records, rules), _SETTINGS, threads=1)  # or sums differ in a last digit
    learn = linker.training
    learn.estimate_probability_two_random_records_match(
        [f"{_SAME_EMAIL} and {_SAME_PERSON}"], recall=_BOTH_HOLD
    )
    learn.estimate_u_using_random_sampling(max_pairs=1e8, seed=1)
    # of pairs with one e-mail: how names and phones agree; of pairs with one name: how e-mails do
    learn.estimate_parameters_using_expectation_maximisation(_SAME_EMAIL)
    learn.estimate_parameters_using_expectation_maximisation(_SAME_PERSON)
    model = linker.misc.save_model_to_json()
    # for what it did not see splink would take values of its own
    unseen = [
        f"{level['label_for_charts']} ({comparison['output_column_name']})"
        for comparison in model["comparisons"]
        for level in comparison["comparison_levels"]
        if not level.get("is_null_level") and not {"m_probability", "u_probability"} <= {*level}
    ]
    if unseen:
        raise ValueError(f"no pair of records shows: {', '.join(unseen)}")
    return model


def clusters(
    records: Iterable[Record], rules: ConversionRules, model: dict[str, Any], *, sure: float = 0.95
) -> dict[Ref, str]:
    """Return the cluster of each record that is one person with another, pair by pair this *sure*.

    The order of the records makes no difference. A cluster keeps its id as long as the least of its
    records is in it.
    """
    rows = _rows(records, rules)
    linker = _linker(rows, model)
    pairs = linker.inference.predict(threshold_match_probability=sure)
    found = linker.clustering.cluster_pairwise_predictions_at_threshold(pairs, sure)
    together: defaultdict[str, list[str]] = defaultdict(list)
    for row in found.as_record_list():
        together[row["cluster_id"]].append(row["unique_id"])
    several = [ids for ids in together.values() if len(ids) > 1]
    # letters and digits alone, since a key is brought into the form of a name
    cluster_of = {one: sha256(min(ids).encode()).hexdigest()[:32] for ids in several for one in ids}
    return {ref: cluster_of[str(ref)] for ref in rows if str(ref) in cluster_of}


def marked(record: _Person, rules: ConversionRules, found: Mapping[Ref, str]) -> _Person:
    """Return the lead or contact with its cluster in `FIELD`, in place of any that it had."""
    custom = {name: value for name, value in record.custom.items() if name != FIELD}
    cluster = found.get(Ref(_kind(record, rules).id, record.id))
    return attrs.evolve(record, custom=custom if cluster is None else {**custom, FIELD: cluster})


def _kind(record: Record, rules: ConversionRules) -> Kind:
    kind = rules.kind_of(record)
    if kind is None:
        raise ValueError(f"the rules have no kind for a {type(record).__name__}")
    return kind


def _rows(records: Iterable[Record], rules: ConversionRules) -> dict[Ref, dict[str, object]]:
    """Return what is compared of each record: its keys, so in normal form, without exceptions."""
    rows: dict[Ref, dict[str, object]] = {}
    for record in records:
        kind = _kind(record, rules)
        values: defaultdict[str, list[str]] = defaultdict(list)
        for key in sorted(rules.matching.keys(kind, record)):
            values[key.type].append(key.value)
        ref = Ref(kind.id, record.id)
        rows[ref] = {
            "unique_id": str(ref),
            "person": next(iter(values["person"]), None),
            # none is not an empty list, which would disagree with everything
            "emails": values["email"] or None,
            "phones": values["phone"] or None,
        }
    return rows


def _linker(
    rows: Mapping[Ref, dict[str, object]],
    settings: SettingsCreator | dict[str, Any],
    **options: int,
) -> Linker:
    """Return a linker over the rows, in one order, that can open neither files nor connections."""
    ordered = sorted(rows.values(), key=lambda row: str(row["unique_id"]))
    connection = duckdb.connect(
        config={"enable_external_access": False, "temp_directory": "", **options}
    )
    database = DuckDBAPI(connection)
    table = database.register(pa.Table.from_pylist(ordered, schema=_COLUMNS))
    return Linker(table, settings, log_level=None)  # logging is the application's to set up
