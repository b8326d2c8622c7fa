"""What is wrong in a rules file is told all at once: the file, the path, what was meant."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from leadconvert import config
from leadconvert.config import _gathering
from leadconvert.errors import DefinitionError
from leadconvert.testing import BOUND


KINDS = """\
[[kinds]]
like = "contact"
[[kinds]]
like = "company"
[[kinds]]
like = "deal"
"""
LEADS = """\
[[pipelines]]
id = "leads"
kind = "lead"
stages = ["new", { id = "done", role = "success" }]
"""
DEALS = """\
[[pipelines]]
id = "0"
kind = "deal"
stages = ["new", { id = "won", role = "success" }]
"""
WHOLE = KINDS + LEADS + DEALS
ANOTHER = " (name a file that can, in UTF-8)"


def mistakes(text: str, form: Any = "toml", **bound: Any) -> list[str]:  # noqa: ANN401
    """What is wrong with a text."""
    with pytest.raises(DefinitionError) as error:
        config.loads(text, form, **{**BOUND, **bound})
    return [str(one) for one in error.value.problems]


def in_rules(text: str, whole: str = WHOLE) -> list[str]:
    """What is wrong with a part of rules that are right otherwise."""
    return mistakes(f"schema_version = 1\n{text}\n{whole}")


def among_tables(text: str, whole: str = WHOLE) -> list[str]:
    """What is wrong with tables behind rules that are right."""
    return mistakes(f"schema_version = 1\n{whole}\n{text}")


class TestUnreadable:
    def test_there_is_no_such_file(self, tmp_path: Path) -> None:
        """A file that is not there is a mistake in the rules, to whoever loads them."""
        assert [f"crm.toml: the file cannot be read: there is no such file{ANOTHER}"] == (
            self.loading(tmp_path / "crm.toml")
        )

    def test_a_folder(self, tmp_path: Path) -> None:
        """A folder is no file."""
        path = tmp_path / "crm.toml"
        path.mkdir()
        assert [
            "crm.toml: the file cannot be read: it is a folder (name a file that can, in UTF-8)"
        ] == (self.loading(path))

    @pytest.mark.skipif(os.geteuid() == 0, reason="whoever may do everything may read everything")
    def test_no_right_to_it(self, tmp_path: Path) -> None:
        """What may not be read is told."""
        path = tmp_path / "crm.toml"
        path.touch(mode=0o000)
        assert [
            "crm.toml: the file cannot be read: Permission denied (name a file that can, in UTF-8)"
        ] == (self.loading(path))

    def test_a_name_no_file_has(self) -> None:
        """What cannot be a name is no file."""
        [only] = self.loading(Path("crm\0.toml"))
        assert only.endswith(
            "the file cannot be read: it has no such name (name a file that can, in UTF-8)"
        )

    def test_a_name_that_is_too_long(self) -> None:
        """What the system refuses is told in its words."""
        [only] = self.loading(Path("x" * 5000 + ".toml"))
        assert "the file cannot be read: " in only

    def test_another_format(self, tmp_path: Path) -> None:
        """The name of a file says its format, one of two."""
        assert ["crm.yaml: there is no format 'yaml' (choose among toml, json)"] == self.loading(
            tmp_path / "crm.yaml"
        )
        assert [
            "crm.tml: there is no format 'tml', did you mean 'toml'? (correct the name)"
        ] == self.loading(tmp_path / "crm.tml")

    @pytest.mark.parametrize("data", [b"\xff\xfe", b"a = '\xe9'", "a = 1".encode("utf-16")])
    def test_not_in_utf8(self, data: bytes, tmp_path: Path) -> None:
        """A file in another encoding is refused, not guessed at."""
        path = tmp_path / "crm.toml"
        path.write_bytes(data)
        assert [
            "crm.toml: the file cannot be read: it is not in UTF-8 (name a file that can, in UTF-8)"
        ] == (self.loading(path))

    def test_a_mark_before_the_text(self, tmp_path: Path) -> None:
        """A byte order mark is told for what it is, since nobody sees it."""
        path = tmp_path / "crm.json"
        path.write_text("\ufeff{}", "utf-8")
        assert [
            f"crm.json: the file cannot be read: it begins with a byte order mark{ANOTHER}"
        ] == self.loading(path)

    @pytest.mark.parametrize("size", [1_000_001, 3_000_000])
    def test_too_large(self, size: int, tmp_path: Path) -> None:
        """Nobody writes a megabyte of rules."""
        expected = "the file has more than 1000000 bytes (leave out what is no rule)"
        path = tmp_path / "crm.toml"
        path.write_text("#" * size)
        assert [f"crm.toml: {expected}"] == self.loading(path)
        assert [f"rules: {expected}"] == mistakes("#" * size)
        assert [f"rules: {expected}"] == mistakes("é" * (size // 2 + 1))

    def test_as_large_as_may_be(self, tmp_path: Path) -> None:
        """A megabyte is read."""
        path = tmp_path / "crm.toml"
        text = f"schema_version = 1\n{WHOLE}#"
        path.write_text(text + "#" * (1_000_000 - len(text)))
        assert config.load(path) == config.loads(text)

    @pytest.mark.parametrize("form", ["toml", "json"])
    @pytest.mark.parametrize("depth", [33, 200, 100_000])
    def test_too_deep(self, form: str, depth: int) -> None:
        """Lists in lists in lists are no rules, however many there are."""
        nested = "[" * depth + "]" * depth
        text = f"x = {nested}" if form == "toml" else f'{{"x": {nested}}}'
        assert ["rules: the file is nested deeper than 32 levels (make it flatter)"] == mistakes(
            text, form
        )
        if form == "toml":
            assert [
                "rules: the file is nested deeper than 32 levels (make it flatter)"
            ] == mistakes(".".join("a" * depth) + " = 1")

    def loading(self, path: Path) -> list[str]:
        """What is wrong with a file."""
        with pytest.raises(DefinitionError) as error:
            config.load(path)
        return [str(one) for one in error.value.problems]


class TestSyntax:
    @pytest.mark.parametrize(
        ("text", "form", "expected"),
        [
            ("a = ", "toml", "line 1, column 5: this is no TOML: invalid value"),
            ("a = 1\na = 2", "toml", "line 2, column 6: this is no TOML: cannot overwrite a value"),
            ("a = 1\n\n[", "toml", "line 3, column 2: this is no TOML: "),
            ("a = [1,\n", "toml", "line 2, column 1: this is no TOML: invalid value"),
            ("a = nan", "toml", "line 1, column 8: this is no TOML: a number must be finite"),
            (
                "a = 1e999999999999999999999",
                "toml",
                "line 1, column 28: this is no TOML: a number must be finite",
            ),
            ("a = 2027-99-99", "toml", "line 1, column"),
            (
                "{",
                "json",
                (
                    "line 1, column 2: this is no JSON: expecting property name enclosed in"
                    " double quotes"
                ),
            ),
            ('{"a": NaN}', "json", "line 1, column 11: this is no JSON: a number must be finite"),
            (
                '{"a": 1e999999999999999999999}',
                "json",
                "line 1, column 31: this is no JSON: a number must be finite",
            ),
            ('{"a": ' + "1" * 5000 + "}", "json", "line 1, column 5008: this is no JSON: "),
            ("a = " + "1" * 5000, "toml", "line 1, column 5005: this is no TOML: "),
        ],
    )
    def test_slips(self, text: str, form: str, expected: str) -> None:
        """What is no TOML or JSON is told with its line and column."""
        [only] = mistakes(text, form)
        assert only.startswith(expected)
        assert only.endswith(" (correct it)")

    def test_keys_that_stand_twice(self) -> None:
        """JSON would take the last; here each is told."""
        text = '{"a": 1, "b": [{"c d": 1, "c d": 2}], "a": 2}'
        assert [
            "a: key 'a' stands twice (remove or rename one)",
            "b[0].\"c d\": key 'c d' stands twice (remove or rename one)",
        ] == mistakes(text, "json")

    @pytest.mark.parametrize("text", ["[]", "1", '"x"', "null"])
    def test_no_table(self, text: str) -> None:
        """A file of rules is a table."""
        [only] = mistakes(text, "json")
        assert only.startswith("rules: a table is needed here, not a value of type ")

    def test_the_file_is_named(self, tmp_path: Path) -> None:
        """Each mistake of a file begins with its name."""
        path = tmp_path / "crm.json"
        path.write_text('{"a": 1, "a": 2}')
        with pytest.raises(DefinitionError, match=r"^crm\.json: a: key 'a' stands twice"):
            config.load(path)
        path.write_text("{")
        with pytest.raises(DefinitionError, match=r"^crm\.json: line 1, column 2: this is no JSON"):
            config.load(path)
        path.write_text("{}")
        with pytest.raises(DefinitionError, match=r"^crm\.json: the file does not say"):
            config.load(path)
        path.write_text('{"schema_version": 9}')
        with pytest.raises(
            DefinitionError, match=r"^crm\.json: schema_version: the file is of version 9"
        ):
            config.load(path)


class TestShapes:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "stagd = true",
                "stagd: there is no key 'stagd', did you mean 'staged'? (correct the name)",
            ),
            (
                "staged = 1",
                (
                    "staged: true or false is needed here, not a value of type whole number"
                    " (correct it)"
                ),
            ),
            (
                "losses = 'strickt'",
                "losses: there is no losses 'strickt', did you mean 'strict'? (correct the name)",
            ),
            (
                "losses = 5",
                "losses: text is needed here, not a value of type whole number (correct it)",
            ),
            (
                "undo_within = 5",
                (
                    "undo_within: a table is needed here, not a value of type whole number"
                    " (correct it)"
                ),
            ),
            (
                "undo_within = { day = 5 }",
                "undo_within.day: there is no key 'day', did you mean 'days'? (correct the name)",
            ),
            (
                "undo_within = { days = 1.5 }",
                (
                    "undo_within.days: a whole number is needed here, not a value of type number"
                    " (correct it)"
                ),
            ),
            (
                "undo_within = { days = 9999999999 }",
                "undo_within: this cannot be: that is longer than can be counted (correct it)",
            ),
            (
                "mappings = 5",
                "mappings: a list is needed here, not a value of type whole number (correct it)",
            ),
            (
                "mappings = [5]",
                (
                    "mappings[0]: a table is needed here, not a value of type whole number"
                    " (correct it)"
                ),
            ),
            (
                "mappings = [{ leave = 'x' }]",
                "mappings[0].leave: a list is needed here, not a value of type text (correct it)",
            ),
            (
                "mappings = [{ leave = ['tags'], kind = 'deal' }]",
                "mappings[0].kind: there is no key 'kind' (correct the name)",
            ),
            (
                "mappings = [{ same = ['title'] }]",
                "mappings[0]: the key 'kind' is missing (add it)",
            ),
            (
                "mappings = [{ kind = 'deal', target = 'x', source = 5 }]",
                (
                    "mappings[0].source: text is needed here, not a value of type whole number"
                    " (correct it)"
                ),
            ),
            ("limits = [{ kind = 'deal' }]", "limits[0]: the key 'made' is missing (add it)"),
            (
                "owners = [{ kind = 'deal', to = 'actor', when = 5 }]",
                (
                    "owners[0].when: a table is needed here, not a value of type whole number"
                    " (correct it)"
                ),
            ),
            (
                "owners = [{ kind = 'deal', to = 'actor', when = ['title'] }]",
                (
                    "owners[0].when: this cannot be: a condition is a field, a comparison,"
                    " perhaps a value (correct it)"
                ),
            ),
            (
                "owners = [{ kind = 'deal', to = 'actor', when = {} }]",
                (
                    "owners[0].when: this cannot be: a condition has one of all_of, any_of, not"
                    " (correct it)"
                ),
            ),
            (
                "owners = [{ kind = 'deal', to = 'actor', when = { all = [] } }]",
                (
                    "owners[0].when.all: there is no key 'all', did you mean 'all_of'? (correct"
                    " the name)"
                ),
            ),
            (
                (
                    "automation = { actor = { id = 'r' }, rules = [{ id = 'x', into = [{ mak ="
                    " 'deal' }] }] }"
                ),
                (
                    "automation.rules[0].into[0]: this cannot be: a target has one of find,"
                    " create, link, merge (correct it)"
                ),
            ),
            (
                (
                    "automation = { actor = { id = 'r' }, rules = [{ id = 'x', into = [{ link ="
                    " 'deal' }] }] }"
                ),
                "automation.rules[0].into[0]: the key 'id' is missing (add it)",
            ),
            (
                (
                    "automation = { actor = { id = 'r' }, rules = [{ id = 'x', into = [{ find ="
                    " 'deal', id = '1' }] }] }"
                ),
                (
                    "automation.rules[0].into[0].id: there is no key 'id', did you mean 'find'?"
                    " (correct the name)"
                ),
            ),
            (
                "lead = { like = 'leed' }",
                (
                    "lead.like: there is no standard kind 'leed', did you mean 'lead'? (correct"
                    " the name)"
                ),
            ),
            (
                "lead = { id = 'lead', class = 'Leed' }",
                (
                    "lead.class: nobody has bound the class 'Leed', did you mean 'Lead'?"
                    " (correct the name, or hand it over in classes=)"
                ),
            ),
            (
                "lead = { like = 'lead', owner = true }",
                "lead.owner: text is needed here, not a value of type true or false (correct it)",
            ),
            (
                "lead = { like = 'lead', label = {} }",
                "lead.label: text is needed here, not a value of type table (correct it)",
            ),
            (
                "lead = { like = 'lead', label = { '$none' = true } }",
                "lead.label: a value is needed here, not a value of type nothing (correct it)",
            ),
            (
                "matching = { rules = [{ kind = 'deal', by = 5 }] }",
                (
                    "matching.rules[0].by: a list is needed here, not a value of type whole"
                    " number (correct it)"
                ),
            ),
            (
                "matching = { same = 'alike' }",
                (
                    "matching.same: nobody has bound the function 'alike', did you mean"
                    " '_alike'? (correct the name, or hand it over in functions=)"
                ),
            ),
            (
                (
                    "policy = { roles = [{ id = 'r', grants = [{ kind = 'deal', actions ="
                    " ['raed'] }] }] }"
                ),
                (
                    "policy.roles[0].grants[0].actions[0]: there is no action 'raed', did you"
                    " mean 'read'? (correct the name)"
                ),
            ),
            (
                (
                    "policy = { roles = [{ id = 'r', grants = [{ kind = 'deal', actions = 'raed'"
                    " }] }] }"
                ),
                (
                    "policy.roles[0].grants[0].actions: there is no action 'raed', did you mean"
                    " 'read'? (correct the name)"
                ),
            ),
            (
                "policy = { combin = 'widest' }",
                (
                    "policy.combin: there is no key 'combin', did you mean 'combine'? (correct"
                    " the name)"
                ),
            ),
            (
                "children = [{ into = { deal = 'move' } }]",
                "children[0]: the key 'kind' is missing (add it)",
            ),
            (
                "declined = { x = 'deal' }",
                "declined.x: a list is needed here, not a value of type text (correct it)",
            ),
        ],
    )
    def test_slips(self, text: str, expected: str) -> None:
        """Each slip is told once, at its path, with what is needed or meant."""
        found = in_rules(text)
        assert len(found) == 1
        assert found[0].startswith(expected)

    @pytest.mark.parametrize(
        ("default", "type_", "expected"),
        [
            ('"much"', "money", "default: a number is needed here, not a value of type text"),
            ('"inf"', "money", "default: a number is needed here, not a value of type text"),
            (
                '"soon"',
                "date",
                "default: a date such as 2027-01-31 is needed here, not a value of type text",
            ),
            (
                '"soon"',
                "datetime",
                (
                    "default: a moment such as 2027-01-31T12:00:00Z is needed here, not a value"
                    " of type text"
                ),
            ),
            (
                "09:30:00",
                "text",
                (
                    "default: a plain value, or one with a tag such as $decimal, is needed here,"
                    " not a value of type time of day"
                ),
            ),
            ("2027-01-31T09:30:00", "datetime", "default: the value does not fit: naive_moment"),
            (
                "{ a = 1, b = 2 }",
                "text",
                (
                    "default: a plain value, or one with a tag such as $decimal, is needed here,"
                    " not a value of type table"
                ),
            ),
            ('{ "$x" = 1 }', "text", "default: this cannot be: '$x' is no tag"),
            (
                '{ "$text" = 1 }',
                "text",
                "default: text is needed here, not a value of type whole number",
            ),
            (
                '{ "$decimal" = "x" }',
                "money",
                "default: this cannot be: a number is needed, not such text",
            ),
            (
                '{ cty = "x" }',
                "address",
                "default: this cannot be: there is no 'cty', did you mean 'city'?",
            ),
            (
                '["a", {}]',
                "text",
                "default[1]: a plain value, or one with a tag such as $decimal, is needed here",
            ),
            ('["a", "b"]', "text", "default: the value does not fit: several_values"),
        ],
    )
    def test_values(self, default: str, type_: str, expected: str) -> None:
        """A value that its field cannot hold is told without the value."""
        [only] = in_rules(
            'lead = { like = "lead", custom = '
            f'[{{ id = "x", type = "{type_}", default = {default} }}] }}'
        )
        assert only.startswith(f"lead.custom[0].{expected}")

    def test_null_is_no_value(self) -> None:
        """JSON's null stands where a value may be empty, and nowhere else."""
        text = '{"schema_version": 1, "kinds": null, "pipelines": []}'
        assert [
            "kinds: a value is needed here, not a value of type nothing (correct it)"
        ] == mistakes(text, "json")


class TestTogether:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                "mappings = [{ source = 'titel', kind = 'deal', target = 'title' }]",
                "mappings[0].source: there is no field of lead 'titel', did you mean 'title'?",
            ),
            (
                (
                    "mappings = [{ leave = ['tags'] }, { kind = 'deal', same = ['title',"
                    " 'amount', 'titel'] }]"
                ),
                "mappings[1].same[2]: there is no field of lead 'titel', did you mean 'title'?",
            ),
            (
                "mappings = [{ source = 'title', kind = 'dael' }]",
                "mappings[0].kind: there is no kind 'dael', did you mean 'deal'?",
            ),
            (
                "mappings = [{ source = 'title', kind = 'deal', conflict = 'fil' }]",
                (
                    "mappings[0].conflict: title cannot be merged by 'fil': there is no such"
                    " rule, did you mean 'fill'?"
                ),
            ),
            (
                "mappings = [{ source = 'title', kind = 'deal', transform = 'uper' }]",
                (
                    "mappings[0].transform: nobody has bound the transform 'uper', did you mean"
                    " 'upper'?"
                ),
            ),
            (
                (
                    "mappings = [{ source = 'title', kind = 'deal' }, { source = 'comments',"
                    " target = 'title', kind = 'deal' }]"
                ),
                "mappings: title, comments are both mapped to deal.title",
            ),
            (
                "mappings = [{ kind = 'deal', target = 'close_date', constant = 5 }]",
                "mappings[0].constant: the value does not fit: wrong_type",
            ),
            (
                "mappings = [{ kind = 'deal', target = 'title', template = '{' }]",
                "mappings[0].template: a template cannot be read: ",
            ),
            (
                "mappings = [{ kind = 'deal', target = 'title', template = '{titel}' }]",
                "mappings[0]: there is no field of lead 'titel', did you mean 'title'?",
            ),
            (
                "limits = [{ kind = 'dael', made = 'never' }]",
                "limits[0].kind: there is no kind 'dael', did you mean 'deal'?",
            ),
            (
                "limits = [{ kind = 'deal', made = 'never' }, { kind = 'deal', made = 'always' }]",
                "limits[1].kind: limit 'deal' stands twice",
            ),
            (
                "leftovers = [{ kind = 'deal', field = 'coments' }]",
                "leftovers[0].field: there is no field of deal 'coments', did you mean 'comments'?",
            ),
            ("declined = { titel = ['deal'] }", "declined.titel: "),
            (
                "columns = [{ header = 'a', field = 'id' }, { header = 'b', field = 'titel' }]",
                "columns[1].field: there is no field of lead 'titel', did you mean 'title'?",
            ),
            (
                "columns = [{ header = ' ', field = 'id' }]",
                "columns[0]: a column cannot be: its header is blank",
            ),
            (
                (
                    "owners = [{ kind = 'deal', to = 'actor' }, { kind = 'deal', to = 'actor',"
                    " when = ['titel', 'filled'] }]"
                ),
                "owners[1].when[0]: there is no field of lead 'titel', did you mean 'title'?",
            ),
            (
                "owners = [{ kind = 'dael', to = 'actor' }]",
                "owners[0].kind: there is no kind 'dael', did you mean 'deal'?",
            ),
            (
                (
                    "matching = { rules = [{ kind = 'contact', by = ['email'] }, { kind ="
                    " 'contact', by = ['e-mail'] }] }"
                ),
                "matching.rules[1].by[0]: there is no key 'e-mail', did you mean 'email'?",
            ),
            (
                "policy = { roles = [{ id = 'r' }, { id = 'r' }] }",
                "policy.roles[1].id: role 'r' stands twice",
            ),
            (
                (
                    "policy = { roles = [{ id = 'r', grants = [{ kind = 'dael', actions = 'read'"
                    " }] }] }"
                ),
                "policy.roles[0].grants[0].kind: there is no kind 'dael', did you mean 'deal'?",
            ),
            (
                "policy = { roles = [{ id = 'r', grants = [{ kind = 'deal', actions = [] }] }] }",
                "policy.roles[0].grants[0]: a grant with no action says nothing",
            ),
            (
                "automation = { actor = { id = 'r' }, rules = [{ id = 'x', to = 'nwe' }] }",
                "automation.rules[0].to: there is no stage of lead 'nwe', did you mean 'new'?",
            ),
            (
                "automation = { actor = { id = 'r' }, without_leads = { into = ['dael'] } }",
                "automation.without_leads.into[0]: there is no kind 'dael', did you mean 'deal'?",
            ),
            (
                "lead = { like = 'lead', custom = [{ id = 'x', type = 'enumeration' }] }",
                "lead.custom[0].type: an enumeration needs options",
            ),
            (
                "lead = { like = 'lead', custom = [{ id = 'x', type = 'text', max_length = 0 }] }",
                "lead.custom[0].max_length: max_length must be 1 or more",
            ),
            (
                "lead = { like = 'lead', custom = [{ id = 'x', type = 'text', to = 'deal' }] }",
                "lead.custom[0].to: to says nothing about a field of type text",
            ),
            (
                (
                    "lead = { like = 'lead', fields = [{ id = 'x', type = 'text' }, { id = 'x',"
                    " type = 'text' }] }"
                ),
                "lead.fields[1].id: field 'x' stands twice",
            ),
            (
                (
                    "children = [{ kind = { id = 'note', converted_from = false, fields = [{ id"
                    " = 'l', type = 'reference', to = 'lead' }] }, into = { dael = 'move' } }]"
                ),
                "children[0].into.dael: there is no kind 'dael', did you mean 'deal'?",
            ),
            (
                "mergers = ['bth']",
                "mergers[0]: nobody has bound the merger 'bth', did you mean 'both'?",
            ),
        ],
    )
    def test_slips(self, text: str, expected: str) -> None:
        """What does not go together is told at the path of what names it."""
        found = in_rules(text)
        assert found[0].startswith(expected)

    def test_pipelines(self) -> None:
        """What a kind lacks, and what a pipeline has too many of, is told where they stand."""
        assert ["kinds[2]: kind 'deal' has stages but no pipeline (add one)"] == in_rules(
            "", KINDS + LEADS
        )
        assert ["rules: kind 'lead' has stages but no pipeline (add one)"] == in_rules(
            "", KINDS + DEALS
        )
        stages = 'stages = ["new", "new", { id = "done", role = "success" }]'
        twice = LEADS.replace('stages = ["new", { id = "done", role = "success" }]', stages)
        assert [
            "pipelines[0].stages[1]: stage 'new' stands twice (remove or rename one)"
        ] == in_rules("", KINDS + twice + DEALS)

    def test_a_place_nobody_knows(self) -> None:
        """A mistake that comes of a class of the user's is told at its kind."""

        @attrs.frozen
        class Strict:
            def __attrs_post_init__(self) -> None:
                raise RuntimeError

        text = f'schema_version = 1\n{WHOLE}\n[matching]\nnormalizer = "Strict"'
        assert ["matching.normalizer: this cannot be: RuntimeError (correct it)"] == mistakes(
            text, classes={"Strict": Strict}
        )


class TestAllAtOnce:
    def test_every_mistake(self) -> None:
        """One pass tells every mistake, in each part, and not what merely follows from another."""
        text = """
            schema_version = 1
            losses = "strickt"
            undo_within = { day = 3 }

            [lead]
            like = "lead"
            custom = [
                { id = "UF_A", type = "txet" },
                { id = "UF_B", type = "text", lable = "B" },
                { id = "UF_C", type = "enumeration", options = [] },
            ]

            [[kinds]]
            like = "contact"
            owner = "ownr_id"

            [[kinds]]
            id = "project"
            class = "Projekt"

            [[kinds]]
            like = "deal"

            [[pipelines]]
            id = "leads"
            kind = "lead"
            stages = ["new", { id = "done", role = "sucess" }]

            [[pipelines]]
            id = "0"
            kind = "deal"
            stages = ["a", "a"]

            [[mappings]]
            source = "titel"
            kind = "deal"
            target = "title"

            [[mappings]]
            source = "UF_A"
            kind = "deal"
            target = "amount"

            [[mappings]]
            source = "comments"
            kind = "deal"
            conflict = "fil"
            colour = 1

            [[mappings]]
            source = "comments"
            kind = "project"

            [[policy.roles]]
            id = "sales"
            grants = [{ kind = "deal", actions = ["raed"] }, { kind = "dael", actions = "read" }]
        """
        assert [
            (
                "lead.custom[0].type: there is no field type 'txet', did you mean 'text'?"
                " (correct the name)"
            ),
            (
                "lead.custom[1].lable: there is no key 'lable', did you mean 'label'? (correct"
                " the name)"
            ),
            "lead.custom[2].type: an enumeration needs options (give it options=[...])",
            (
                "kinds[0].owner: there is no field 'ownr_id', did you mean 'owner_id'? (correct"
                " the name)"
            ),
            (
                "kinds[1].class: nobody has bound the class 'Projekt', did you mean 'Project'?"
                " (correct the name, or hand it over in classes=)"
            ),
            "losses: there is no losses 'strickt', did you mean 'strict'? (correct the name)",
            "undo_within.day: there is no key 'day', did you mean 'days'? (correct the name)",
            (
                "pipelines[0].stages[1].role: there is no stage role 'sucess',"
                " did you mean 'success'? (correct the name)"
            ),
            "pipelines[1].stages[1]: stage 'a' stands twice (remove or rename one)",
            "mappings[2].colour: there is no key 'colour' (correct the name)",
            (
                "policy.roles[0].grants[0].actions[0]: there is no action 'raed',"
                " did you mean 'read'? (correct the name)"
            ),
            (
                "mappings[0].source: there is no field of lead 'titel', did you mean 'title'?"
                " (correct the name)"
            ),
            (
                "mappings[2].conflict: comments cannot be merged by 'fil': there is no such rule,"
                " did you mean 'fill'? (choose another rule)"
            ),
            (
                "policy.roles[0].grants[1].kind: there is no kind 'dael', did you mean 'deal'?"
                " (correct the name)"
            ),
        ] == mistakes(text)

    def test_without_the_parts_that_all_others_go_by(self) -> None:
        """Where kinds are missing, what is wrong elsewhere is told all the same."""
        assert [
            "rules: the key 'kinds' is missing (add it)",
            "rules: the key 'pipelines' is missing (add it)",
            "staged: true or false is needed here, not a value of type whole number (correct it)",
        ] == sorted(mistakes("schema_version = 1\nstaged = 5"))
        assert [
            "kinds: a list is needed here, not a value of type whole number (correct it)"
        ] == mistakes(f"schema_version = 1\nkinds = 5\n{LEADS}")

    def test_one_slip_in_what_a_kind_is_like(self) -> None:
        """What was meant is not missed elsewhere as well; what is like nothing at all is."""
        kinds = "kinds = [{ like = 'compny' }, { like = 'contact' }]"
        mapped = "mappings = [{ source = 'title', kind = 'company', target = 'name' }]"
        text = f"schema_version = 1\n{kinds}\n{mapped}\n{LEADS}"
        slip = "kinds[0].like: there is no standard kind {!r}"
        assert [f"{slip.format('compny')}, did you mean 'company'? (correct the name)"] == (
            mistakes(text)
        )
        assert [
            f"{slip.format('xyz')} (correct the name)",
            "mappings[0].kind: there is no kind 'company' (correct the name)",
        ] == mistakes(text.replace("compny", "xyz"))

    def test_columns_keep_their_numbers(self) -> None:
        """What is behind a column that cannot be read is told where it stands in the file."""
        columns = (
            "{ header = 5 }, { header = 'a', field = 'id' }, { header = 'b', field = 'titel' }"
        )
        assert ["columns[0].header", "columns[2].field"] == [
            one.partition(": ")[0] for one in in_rules(f"columns = [{columns}]")
        ]

    def test_what_a_policy_finds_itself(self) -> None:
        """A mistake of one role is told at that role, and does not hide those of the others."""
        grants = "grants = [{ kind = 'deal', actions = 'read' }]"
        one = f"{{ id = 'a', {grants}, forbids = [{{ kind = '*', actions = 'read' }}] }}"
        other = "{ id = 'b', grants = [{ kind = 'dael', actions = 'read' }] }"
        assert ["policy.roles[0].grants[0].kind", "policy.roles[1].grants[0].kind"] == [
            mistake.partition(": ")[0]
            for mistake in in_rules(f"policy = {{ roles = [{one}, {other}] }}")
        ]

    def test_a_function_that_is_none(self) -> None:
        """What is no function of a module is refused with the rules as a whole."""
        text = f"schema_version = 1\n{WHOLE}\n[matching]\nsame = 'alike'"
        [only] = mistakes(text, functions={"alike": partial(print)})
        assert only.startswith("rules: this cannot be: ")

    def test_what_cannot_be_taken_out_ends_the_reading(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Reading ends, whatever is wrong."""
        monkeypatch.setattr(_gathering, "without", lambda *_: False)
        assert [
            "staged: true or false is needed here, not a value of type whole number (correct it)"
        ] == (in_rules("staged = 1"))
