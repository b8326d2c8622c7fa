"""Rules as files: TOML or JSON that an administrator can write, read and check.

`load` reads rules and tells every mistake at once, each with its file and the path to it; `dump`
writes the same rules back. A file runs nothing: your functions and classes are names in it, which
you bind. `schema` is what an editor completes and checks it by.
"""

import json
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

import attrs

from leadconvert import ConversionRules, Merger, Transform
from leadconvert.config import _schema, _texts
from leadconvert.config._gathering import gathered
from leadconvert.config._layout import json_text, toml_text
from leadconvert.config._reading import Bound
from leadconvert.config._versions import upgraded
from leadconvert.config._writing import Writer
from leadconvert.errors import DefinitionError
from leadconvert.given import expect
from leadconvert.problems import mistake
from leadconvert.values import FrozenMap


__all__ = ["dump", "dumps", "load", "loads", "schema"]

_NOTHING: Final[Mapping[str, Any]] = FrozenMap()


def load(
    path: str | Path,
    *,
    transforms: Mapping[str, Transform] = _NOTHING,
    mergers: Mapping[str, Merger] = _NOTHING,
    classes: Mapping[str, type] = _NOTHING,
    functions: Mapping[str, Callable[..., object]] = _NOTHING,
) -> ConversionRules:
    """Return the rules in the file at *path*, a ``.toml`` or a ``.json``.

    A file runs nothing. Names in it stand for what is bound here: *transforms* and *mergers* for
    mappings, *classes* for kinds and for the normalizer of matching, *functions* for its ``same``.
    What the file does not name is not taken.

    Raises:
        leadconvert.errors.DefinitionError: every mistake in it, each with the file and the path to
            it, such as ``crm.toml: mappings[3].conflict``; nothing else is ever raised for a file.

    Example:
        >>> from leadconvert import config
        >>> config.load("docs/examples/crm.toml").lead_pipeline.first.id
        'new'
    """
    bound = Bound(transforms=transforms, mergers=mergers, classes=classes, functions=functions)
    file = Path(path)
    format_ = _texts.format_of(file)
    return _read(_texts.text_of(file), format_, file.name, bound)


def loads(  # noqa: PLR0913 - each is a sort of names
    text: str,
    format: Literal["toml", "json"] = "toml",  # noqa: A002
    *,
    transforms: Mapping[str, Transform] = _NOTHING,
    mergers: Mapping[str, Merger] = _NOTHING,
    classes: Mapping[str, type] = _NOTHING,
    functions: Mapping[str, Callable[..., object]] = _NOTHING,
) -> ConversionRules:
    r"""Return the rules that a *text* tells; `load` says more.

    Raises:
        leadconvert.errors.DefinitionError: every mistake in it, each with the path to it.
        ValueError: there is no such format.

    Example:
        >>> from leadconvert import config, errors
        >>> try:
        ...     config.loads("schema_version = 1\nkinds = [{ like = 'dael' }]\npipelines = []")
        ... except errors.DefinitionError as error:
        ...     print(error.problems[0])
        kinds[0].like: there is no standard kind 'dael', did you mean 'deal'? (correct the name)
    """
    expect(("text", text, str))
    bound = Bound(transforms=transforms, mergers=mergers, classes=classes, functions=functions)
    return _read(text, _known(format), "", bound)


def dump(rules: ConversionRules, path: str | Path, *, schema: str | None = None) -> None:
    """Write *rules* into the file at *path*, a ``.toml`` or a ``.json``; `dumps` says more.

    Raises:
        leadconvert.errors.DefinitionError: the file is of neither format, or the rules hold what
            has no form in a file; then nothing is written.
        ImportError: TOML needs ``leadconvert[toml]``.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from leadconvert import config, presets
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     config.dump(presets.bitrix24(), Path(folder, "crm.toml"))
        ...     config.load(Path(folder, "crm.toml")) == presets.bitrix24()
        True
    """
    file = Path(path)
    text = _written(rules, _texts.format_of(file), schema)
    file.write_text(text, encoding="utf-8", newline="\n")


def dumps(
    rules: ConversionRules,
    format: Literal["toml", "json"] = "toml",  # noqa: A002
    *,
    schema: str | None = None,
) -> str:
    """Return *rules* as a text that reads back as the same rules, what is as it comes left out.

    *schema* is where an editor finds the schema: a path that starts from the file, or an address.

    Raises:
        leadconvert.errors.DefinitionError: the rules hold what has no form in a file.
        ImportError: TOML needs ``leadconvert[toml]``.
        ValueError: there is no such format.

    Example:
        >>> from leadconvert import ConversionRules, Pipeline, Policy, Stage, config
        >>> from leadconvert.kinds import COMPANY
        >>> leads = Pipeline("leads", "lead", ["new", Stage("done", "success")])
        >>> print(config.dumps(ConversionRules(kinds=[COMPANY], pipelines=[leads])))
        schema_version = 1
        <BLANKLINE>
        [[kinds]]
        like = "company"
        <BLANKLINE>
        [[pipelines]]
        id = "leads"
        kind = "lead"
        stages = ["new", { id = "done", role = "success" }]
        <BLANKLINE>
    """
    expect(("rules", rules, ConversionRules))
    return _written(rules, _known(format), schema)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of rules files (draft 2020-12), by which an editor completes them.

    It lies beside this module as ``rules.schema.json``.

    Example:
        >>> from leadconvert import config
        >>> config.schema()["title"]
        'Rules for the conversion of leads'
    """
    file = resources.files(__name__).joinpath(_schema.FILE)
    read: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return read


def _known(format_: str) -> str:
    if format_ not in _texts.FORMATS:
        raise ValueError(f"a format is one of {', '.join(_texts.FORMATS)}")
    return format_


def _read(text: str, format_: str, name: str, bound: Bound) -> ConversionRules:
    return gathered(upgraded(_texts.parsed(text, format_, name), name), bound, name)


def _written(rules: ConversionRules, format_: str, schema: str | None) -> str:
    write = {"toml": toml_text, "json": json_text}[format_]
    try:
        text = write(Writer(rules, dates=format_ == "toml").data(), schema)
        text.encode()
    except DefinitionError as error:
        problems = [attrs.evolve(one, place="rules") for one in error.problems]
        raise DefinitionError(problems) from None
    except UnicodeEncodeError:
        raise _unwritable("a text", "it holds half a character") from None
    except ValueError:  # Python writes no more than some thousand digits
        raise _unwritable("a number", "it is too long") from None
    return text


def _unwritable(what: str, why: str) -> DefinitionError:
    return DefinitionError([mistake("unwritable", "rules", what=what, why=why)])
