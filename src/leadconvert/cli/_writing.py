"""Writes what came of a run as JSON lines: complete files or none."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from leadconvert import ConversionRules, Rejected
from leadconvert.cli._outcomes import Outcome, Unstored
from leadconvert.cli._text import UnusableError
from leadconvert.codec import Codec


__all__ = ["write_outcomes"]


def write_outcomes(
    outcomes: Sequence[Outcome],
    into: Iterable[str],
    directory: Path,
    rules: ConversionRules,
) -> None:
    """Write the converted leads, the records of each kind of *into*, and the refusals.

    A kind of which nothing was made gets an empty file, so that none of an earlier run is left
    beside those of this one.

    Raises:
        UnusableError: *directory* cannot be made or written; then no file is.
    """
    lines = _lines(outcomes, into, Codec(rules))
    try:
        directory.mkdir(parents=True, exist_ok=True)
        _replace(lines, directory)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UnusableError(f"--out: {directory} cannot be written ({reason})") from None


def _lines(
    outcomes: Iterable[Outcome], into: Iterable[str], codec: Codec
) -> dict[str, list[bytes]]:
    leads: list[bytes] = []
    refused: list[bytes] = []
    lines = {"leads": leads, "refused": refused, **{kind: [] for kind in into}}
    for outcome in outcomes:
        match outcome:
            case Rejected():
                refused.append(_line(codec.to_data(outcome.error)))
            case Unstored(lead_id, error):
                name = type(error).__name__
                told = {"error": name, "lead_id": lead_id, "message": str(error), "problems": []}
                refused.append(_line(told))
            case _:
                leads.append(_line(codec.to_data(outcome.result.lead)))
                for made in outcome.result.outcomes:
                    lines[made.ref.kind].append(_line(codec.to_data(made.record)))
    return {f"{name}.jsonl": found for name, found in lines.items()}


def _line(data: object) -> bytes:
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate: UTF-8 has none, but JSON can spell it
        return json.dumps(data, allow_nan=False).encode() + b"\n"


def _replace(files: Mapping[str, Iterable[bytes]], directory: Path) -> None:
    for name in files:  # nothing is begun that cannot be ended
        if (directory / name).is_dir():
            raise IsADirectoryError(0, f"{name} in it is a directory")
    with TemporaryDirectory(prefix=".leadconvert-", dir=directory) as name:
        new = Path(name)
        for file, lines in files.items():
            with (new / file).open("wb") as stream:
                stream.writelines(lines)
                stream.flush()
                os.fsync(stream.fileno())
        for file in files:
            (new / file).replace(directory / file)
