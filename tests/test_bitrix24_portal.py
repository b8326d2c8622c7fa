"""Rules for one Bitrix24, made of what its REST answers."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadconvert import (
    Actor,
    Channel,
    Field,
    FieldType,
    Kind,
    Lead,
    Option,
    Policy,
    StageRole,
    convert,
    errors,
    presets,
)


AT: Final = datetime(2027, 1, 31, 12, 0, tzinfo=UTC)
FLOAT: Final = "is a float, which is not exact: parse with parse_float=Decimal"
NEW: Final = {"ENTITY_ID": "STATUS", "STATUS_ID": "NEW", "NAME": "New", "SORT": "10"}


def stage(id_: str, dictionary: str = "DEAL_STAGE", **more: object) -> dict[str, object]:
    """Return a dictionary entry as crm.status.list answers it."""
    return {"ENTITY_ID": dictionary, "STATUS_ID": id_, "NAME": id_.title(), "SORT": "10", **more}


def own(type_: str, name: str = "UF_CRM_1", /, **more: object) -> dict[str, object]:
    """Return a field of the user's own as crm.deal.userfield.list answers it."""
    return {"ENTITY_ID": "CRM_DEAL", "FIELD_NAME": name, "USER_TYPE_ID": type_, **more}


def kind(name: str, **answers: object) -> Kind:
    """Return a kind that answers make."""
    kinds = presets.bitrix24.kinds(**answers)  # type: ignore[arg-type]
    return {one.id: one for one in kinds}[name]


def made(userfield: Mapping[str, object]) -> Field:
    """Return the deal's field that an answer makes."""
    return kind("deal", userfields=[userfield]).members["UF_CRM_1"]


def refused(**answers: object) -> list[str]:
    """Return the mistakes in answers."""
    with pytest.raises(errors.DefinitionError) as error:
        presets.bitrix24.portal(**answers)  # type: ignore[arg-type]
    return [f"{one.place}: {one.message}" for one in error.value.problems]


class TestPipelines:
    """Dictionaries of stages."""

    def test_leads(self) -> None:
        """The stages of leads make one pipeline, in their order, with their roles and labels."""
        entries = [
            stage("JUNK", "STATUS", SORT=30, SEMANTICS="F"),
            stage("CONVERTED", "STATUS", SORT="20", SEMANTICS="S"),
            stage("NEW", "STATUS", SORT="10", SEMANTICS=None),
        ]
        [pipeline] = presets.bitrix24.pipelines({"result": entries, "total": 3})
        assert ("leads", "lead", False) == (pipeline.id, pipeline.kind, pipeline.default)
        assert [
            ("NEW", StageRole.PROCESS, "New"),
            ("CONVERTED", StageRole.SUCCESS, "Converted"),
            ("JUNK", StageRole.FAILURE, "Junk"),
        ] == [(one.id, one.role, one.label) for one in pipeline.stages]

    @pytest.mark.parametrize(
        ("semantics", "role"),
        [
            ("", "process"),
            ("P", "process"),
            ("process", "process"),
            ("S", "success"),
            ("success", "success"),
            ("F", "failure"),
            ("failure", "failure"),
            ("apology", "failure"),
        ],
    )
    def test_semantics(self, semantics: str, role: str) -> None:
        """The role of a stage is told by a letter, or by a word beside it."""
        by_word = stage("A", SEMANTICS=None, EXTRA={"SEMANTICS": semantics})
        by_letter = stage("B", SEMANTICS=semantics)
        [pipeline] = presets.bitrix24.pipelines([by_word, by_letter, stage("C")])
        assert [role, role, "process"] == [one.role.value for one in pipeline.stages]

    def test_categories(self) -> None:
        """Each category of deals is a pipeline, with its name; one is the default."""
        statuses = [
            {"result": [stage("NEW"), stage("C1:NEW", CATEGORY_ID="1")]},
            {"result": [stage("C2:NEW", "DEAL_STAGE_2")]},
        ]
        categories = {
            "result": {
                "categories": [
                    {"id": 2, "name": "Service", "sort": 20, "entityTypeId": 2, "isDefault": "Y"},
                    {"id": 0, "name": "General", "sort": 10, "entityTypeId": 2, "isDefault": "N"},
                    {"id": 1, "name": "", "sort": "30"},
                    {"id": 7, "name": "Repairs", "sort": 5, "entityTypeId": 128},
                ]
            }
        }
        found = presets.bitrix24.pipelines(statuses, categories)
        assert [("0", "General", False), ("2", "Service", True), ("1", None, False)] == [
            (one.id, one.label, one.default) for one in found
        ]
        assert ["NEW", "C2:NEW", "C1:NEW"] == [one.first.id for one in found]

    @pytest.mark.parametrize(
        ("dictionaries", "default"),
        [(["DEAL_STAGE_3", "DEAL_STAGE"], "0"), (["DEAL_STAGE_3", "DEAL_STAGE_4"], "3")],
    )
    def test_without_categories(self, dictionaries: list[str], default: str) -> None:
        """Where no category is told the first one is the default, or that of the first stage."""
        found = presets.bitrix24.pipelines([stage(f"{one}:NEW", one) for one in dictionaries])
        assert [default] == [one.id for one in found if one.default]

    def test_mistakes(self) -> None:
        """All that is wrong with dictionaries and categories is told at once."""
        statuses = [
            stage("NEW", SEMANTICS="X"),
            stage("", SORT=None),
            stage("A", ""),
            stage("C5:NEW", "DEAL_STAGE_5"),
            7,
        ]
        categories = [{"id": 0, "isDefault": "?"}, {"id": ""}, {"id": 9}]
        assert [
            "statuses: a dictionary needs an id that is not blank",
            "statuses: an object or a list is needed here, not a value of type int",
            "statuses DEAL_STAGE_0: a dictionary entry needs an id that is not blank",
            "statuses DEAL_STAGE_0.NEW: there is no semantics 'X'",
            "categories 0: Y or N is needed here, not a value of type str",
            "categories: a category needs an id that is not blank",
            "statuses DEAL_STAGE_5: there is no category '5'",
            "pipeline 0: a stage needs an id that is not blank",
            "pipeline: a pipeline needs an id that is not blank",
            "pipeline : a pipeline needs a stage in process",
            "pipeline 9: a pipeline needs a stage in process",
        ] == refused(statuses=statuses, categories=categories)


class TestOptions:
    """Dictionaries of anything else."""

    def test_in_order(self) -> None:
        """Each dictionary's entries are options by id, in their order; stages are left out."""
        statuses = [
            stage("WEB", "SOURCE", SORT="20"),
            stage("CALL", "SOURCE", SORT="10", NAME=""),
            stage("SALE", "DEAL_TYPE"),
            stage("NEW"),
            NEW,
        ]
        assert {
            "SOURCE": (Option("CALL"), Option("WEB", "Web")),
            "DEAL_TYPE": (Option("SALE", "Sale"),),
        } == presets.bitrix24.options(statuses)

    def test_mistakes(self) -> None:
        """What is wrong is told."""
        with pytest.raises(errors.DefinitionError, match=r"^statuses: an object or a list is"):
            presets.bitrix24.options("x")


class TestOwnFields:
    """Fields of the user's own."""

    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            ("string", "text"),
            ("integer", "integer"),
            ("double", "decimal"),
            ("boolean", "boolean"),
            ("date", "date"),
            ("datetime", "datetime"),
            ("file", "file"),
            ("url", "url"),
            ("money", "text"),
            ("address", "text"),
            ("employee", "text"),
            ("crm", "text"),
            ("crm_status", "text"),
            ("enumeration", "text"),
            ("iblock_element", "text"),
            ("hlblock", "text"),
        ],
    )
    def test_types(self, theirs: str, ours: str) -> None:
        """Each type has one here; an empty list and a missing dictionary hold texts."""
        assert Field("UF_CRM_1", ours, label="UF_CRM_1") == made(own(theirs))

    @pytest.mark.parametrize("type_", ["resourcebooking", "rest_7_color", ""])
    def test_unknown_types(self, type_: str) -> None:
        """A field of a type unknown here is no field: its values are kept as they stand."""
        rules = presets.bitrix24.portal(userfields=own(type_))
        deal = rules.kind("deal")
        assert deal is not None
        assert "UF_CRM_1" not in deal.members
        data = {"ID": "5", "UF_CRM_1": {"a": [1]}}
        [read] = presets.bitrix24.deals(data, rules=rules)
        assert {"UF_CRM_1": {"a": (1,)}} == read.custom

    def test_all_of_it(self) -> None:
        """Label, options by id, multiple, mandatory and default are taken over."""
        listed = [
            {"ID": 44, "VALUE": "hot", "DEF": "Y"},
            {"ID": "45", "VALUE": "", "DEF": "N"},
            {"ID": "46", "VALUE": "cold", "DEF": "Y"},
        ]
        more: dict[str, object] = {"LIST": listed, "MANDATORY": "Y", "EDIT_FORM_LABEL": "Interest"}
        options = [Option("44", "hot"), Option("45"), Option("46", "cold")]
        expected = Field(
            "UF_CRM_1",
            "enumeration",
            label="Interest",
            options=options,
            required=True,
            default="44",
        )
        assert expected == made(own("enumeration", **more))
        several = attrs.evolve(expected, multiple=True, default=["44", "46"])
        assert several == made(own("enumeration", MULTIPLE="Y", **more))

    @pytest.mark.parametrize(
        ("labels", "label"),
        [
            ({"EDIT_FORM_LABEL": "a", "LIST_COLUMN_LABEL": "b"}, "a"),
            ({"EDIT_FORM_LABEL": None, "LIST_COLUMN_LABEL": "b", "LIST_FILTER_LABEL": "c"}, "b"),
            ({"EDIT_FORM_LABEL": {"de": " ", "en": "c"}}, "c"),
            ({"EDIT_FORM_LABEL": {}}, "UF_CRM_1"),
        ],
    )
    def test_labels(self, labels: dict[str, object], label: str) -> None:
        """The label is that of the form, of the list or of the filter, in whatever language."""
        assert label == made(own("string", **labels)).label

    @pytest.mark.parametrize(
        ("type_", "told", "default"),
        [
            ("string", "x", "x"),
            ("string", "", None),
            ("integer", 5, 5),
            ("double", Decimal("1.5"), Decimal("1.5")),
            ("boolean", 1, True),
            ("boolean", 0, False),
            ("date", {"TYPE": "FIXED", "VALUE": "2024-08-22"}, date(2024, 8, 22)),
            ("date", {"TYPE": "NOW", "VALUE": "2024-08-22"}, None),
            ("datetime", {"TYPE": "NONE", "VALUE": ""}, None),
            ("datetime", {"TYPE": "FIXED", "VALUE": "2027-01-31T12:00:00+00:00"}, AT),
            ("money", "5|EUR", None),
        ],
    )
    def test_defaults(self, type_: str, told: object, default: object) -> None:
        """A default that is a plain value is taken over; now is none."""
        assert default == made(own(type_, SETTINGS={"DEFAULT_VALUE": told})).default

    def test_default_of_several(self) -> None:
        """The default of a multiple field is one of many."""
        field = made(own("string", MULTIPLE="Y", SETTINGS={"DEFAULT_VALUE": "x"}))
        assert ("x",) == field.default

    @pytest.mark.parametrize(("told", "longest"), [(0, None), (5, 5), ("7", 7), (None, None)])
    def test_longest_text(self, told: object, longest: int | None) -> None:
        """A longest text is taken over; zero is none."""
        assert longest == made(own("string", SETTINGS={"MAX_LENGTH": told})).max_length

    def test_dictionaries(self) -> None:
        """A field of a dictionary is an enumeration where that is at hand."""
        field = own("crm_status", SETTINGS={"ENTITY_TYPE": "INDUSTRY"})
        deal = kind("deal", userfields=[field], statuses=[stage("IT", "INDUSTRY")])
        assert (Option("IT", "It"),) == deal.members["UF_CRM_1"].options

    def test_by_the_answer_about_all_fields(self) -> None:
        """The answer about all fields tells of the user's own as well, in either shape."""
        told = {
            "type": "enumeration",
            "isRequired": True,
            "isMultiple": True,
            "items": [{"ID": "44", "VALUE": "hot"}],
            "formLabel": "Interest",
            "title": "UF_CRM_1",
        }
        options = [Option("44", "hot")]
        expected = Field(
            "UF_CRM_1",
            FieldType.ENUMERATION,
            label="Interest",
            required=True,
            multiple=True,
            options=options,
            default=(),
        )
        for answer in (
            {"result": {"UF_CRM_1": told}},
            {"result": {"fields": {"ufCrm_1": told}}},
            {"fields": {"ufCrm_1": {**told, "upperName": "UF_CRM_1"}}},
        ):
            assert expected == kind("deal", fields={"deal": answer}).members["UF_CRM_1"]

    def test_mixed_names(self) -> None:
        """A name mixed of letters and digits is told by its form in capitals."""
        told = {"type": "string", "upperName": "UF_CRM_64A"}
        deal = kind("deal", fields={"deal": {"fields": {"ufCrm_64A": told}}})
        assert "UF_CRM_64A" in deal.members

    def test_the_list_of_own_fields_knows_better(self) -> None:
        """Where both answers tell of a field, that about the user's own counts."""
        deal = kind(
            "deal",
            fields={"deal": {"UF_CRM_1": {"type": "string", "formLabel": "A"}}},
            userfields=[own("string", EDIT_FORM_LABEL="B", MANDATORY="Y")],
        )
        assert ("B", True) == (deal.members["UF_CRM_1"].label, deal.members["UF_CRM_1"].required)

    def test_values(self) -> None:
        """Values of the user's own fields are read as the fields hold them."""
        fields = [
            own("date", "UF_CRM_1"),
            own("double", "UF_CRM_2", MULTIPLE="Y"),
            own("url", "UF_CRM_3"),
            own("boolean", "UF_CRM_4"),
            own("enumeration", "UF_CRM_5", LIST=[{"ID": "44", "VALUE": "hot"}]),
            own("file", "UF_CRM_6", MULTIPLE="Y"),
            own("string", "UF_CRM_7"),
        ]
        rules = presets.bitrix24.portal(userfields=fields)
        data = {
            "ID": "5",
            "UF_CRM_1": "2024-08-22T03:00:00+03:00",
            "UF_CRM_2": [1, "2.5", ""],
            "UF_CRM_3": "https://example.com",
            "UF_CRM_4": "1",
            "UF_CRM_5": 44,
            "UF_CRM_6": [{"id": 12, "url": "x"}],
            "UF_CRM_7": False,
        }
        [deal] = presets.bitrix24.deals(data, rules=rules)
        assert {
            "UF_CRM_1": date(2024, 8, 22),
            "UF_CRM_2": (Decimal(1), Decimal("2.5")),
            "UF_CRM_3": Channel("https://example.com"),
            "UF_CRM_4": True,
            "UF_CRM_5": "44",
            "UF_CRM_6": ("12",),
        } == deal.custom

    def test_an_address_field_of_your_own(self) -> None:
        """Where your rules say address, the vendor's one text is its street."""
        base = presets.bitrix24()
        lead = attrs.evolve(base.lead, custom=[*base.lead.custom, Field("UF_A", "address")])
        rules = attrs.evolve(base, lead=lead)
        data = {"ID": "7", "STATUS_ID": "NEW", "UF_A": "1 Road|0;0|5"}
        [read] = presets.bitrix24.leads(data, rules=rules)
        assert data == presets.bitrix24.to_json(read)


class TestStandardFields:
    """Fields that every Bitrix24 has."""

    def test_labels(self) -> None:
        """Standard fields get the vendor's labels, but for those that only repeat the name."""
        answer = {
            "TITLE": {"type": "string", "title": "Name der Firma", "isRequired": True},
            "COMMENTS": {"type": "string", "title": "COMMENTS"},
            "PHONE": {"type": "crm_multifield", "isMultiple": True, "title": "Telefon"},
            "LINK": {"type": "crm_multifield", "isMultiple": True, "title": "Verweis"},
        }
        members = kind("company", fields={"company": {"result": answer}}).members
        assert ["Name der Firma", "Comments", "Telefon", "Verweis"] == [
            members[name].label for name in ("name", "comments", "phones", "LINK")
        ]

    def test_others(self) -> None:
        """What has no standard field here is added, but for what is read-only or worked out."""
        answer = {
            "ID": {"type": "integer", "isReadOnly": True},
            "COMPANY_TYPE": {"type": "crm_status", "statusType": "COMPANY_TYPE", "title": "Typ"},
            "REVENUE": {"type": "double"},
            "IS_MY_COMPANY": {"type": "char"},
            "REG_ADDRESS": {"type": "string"},
            "REG_ADDRESS_CITY": {"type": "string"},
            "ADDRESS_CITY": {"type": "string"},
            "CONTACT_ID": {"type": "crm_contact", "isMultiple": True},
            "PARENT_ID_156": {"type": "crm_entity", "title": "Einkauf"},
            "LEAD_ID": {"type": "crm_lead", "isReadOnly": True},
            "DATE_CREATE": {"type": "datetime", "isReadOnly": True},
            "LAST_ACTIVITY_TIME": {"type": "datetime"},
        }
        company = kind(
            "company",
            fields={"company": {"result": answer}},
            statuses=[stage("CUSTOMER", "COMPANY_TYPE")],
        )
        assert [
            ("LINK", "url", True, "Links"),
            ("COMPANY_TYPE", "enumeration", False, "Typ"),
            ("REVENUE", "decimal", False, "REVENUE"),
            ("IS_MY_COMPANY", "boolean", False, "IS_MY_COMPANY"),
            ("REG_ADDRESS", "address", False, "REG_ADDRESS"),
            ("CONTACT_ID", "text", True, "CONTACT_ID"),
            ("PARENT_ID_156", "text", False, "Einkauf"),
        ] == [(one.id, one.type.value, one.multiple, one.label) for one in company.custom]

    def test_items(self) -> None:
        """The answer of crm.item.fields tells of the same fields, clients left out."""
        answer = {
            "id": {"type": "integer", "upperName": "ID"},
            "title": {"type": "string", "title": "Name", "upperName": "TITLE"},
            "createdTime": {"type": "datetime", "isReadOnly": True, "upperName": "CREATED_TIME"},
            "contactId": {"type": "crm_contact", "upperName": "CONTACT_ID"},
            "contacts": {"type": "crm_contact", "isMultiple": True, "upperName": "CONTACTS"},
            "observers": {"type": "user", "isMultiple": True, "title": "Beobachter"},
            "xmlId": {"type": "string", "title": "Code", "upperName": "XML_ID"},
            "taxValue": {"type": "double", "upperName": "TAX_VALUE"},
        }
        deal = kind("deal", fields={"deal": {"result": {"fields": answer}}})
        assert ("Name", "Beobachter") == (
            deal.members["title"].label,
            deal.members["observer_ids"].label,
        )
        assert ["WEBFORM_ID", "XML_ID", "TAX_VALUE"] == [one.id for one in deal.custom]

    def test_dictionaries(self) -> None:
        """Source, salutation and deal type have the options of their dictionaries, in each kind."""
        statuses = [stage("WEB", "SOURCE"), stage("MR", "HONORIFIC"), stage("GOODS", "DEAL_TYPE")]
        lead, contact, _, deal = presets.bitrix24.kinds(statuses=statuses)
        for one in (lead, contact, deal):
            assert (Option("WEB", "Web"),) == one.members["source"].options
        assert (Option("MR", "Mr"),) == contact.members["honorific"].options
        assert (Option("GOODS", "Goods"),) == deal.members["type"].options

    def test_nothing_told(self) -> None:
        """Without any answer the kinds and rules are those of the preset."""
        base = presets.bitrix24()
        assert (base.lead, *base.kinds) == presets.bitrix24.kinds()
        assert base == presets.bitrix24.portal()


def anything() -> st.SearchStrategy[object]:
    """Draw whatever JSON can say, in the vendor's words."""
    plain = st.none() | st.booleans() | st.integers() | st.text() | st.floats()
    words = ["STATUS", "DEAL_STAGE", "CRM_DEAL", "enumeration", "string", "date", "Y", "S", "UF_A"]
    names = ["ENTITY_ID", "STATUS_ID", "SEMANTICS", "EXTRA", "FIELD_NAME", "USER_TYPE_ID", "LIST"]
    names += ["SETTINGS", "DEFAULT_VALUE", "type", "items", "settings", "isMultiple", "title", "id"]
    names += ["ID", "UF_CRM_1", "result", "fields", "EDIT_FORM_LABEL", "MULTIPLE", "isDefault"]
    return st.recursive(
        plain | st.sampled_from(words),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names), inner, max_size=6)
        ),
        max_leaves=12,
    )


class TestWhatever:
    """Answers that nobody has thought of."""

    @settings(max_examples=200)
    @given(
        fields=st.dictionaries(st.sampled_from(["lead", "deal", "x"]), anything(), max_size=2),
        userfields=anything(),
        statuses=anything(),
        categories=anything(),
    )
    def test_refused_or_read(
        self, fields: dict[str, object], userfields: object, statuses: object, categories: object
    ) -> None:
        """Answers make rules, or are refused with a DefinitionError that has places."""
        problems: tuple[errors.Problem, ...] = ()
        try:
            presets.bitrix24.portal(
                fields=fields, userfields=userfields, statuses=statuses, categories=categories
            )
        except errors.DefinitionError as error:
            problems = error.problems
        assert all(problem.place for problem in problems)


class TestPortal:
    """All of it together."""

    def test_a_field_of_items_alone(self) -> None:
        """A field that only the answer about items names is read under its name in capitals."""
        told = {"type": "string", "upperName": "XML_ID"}
        rules = presets.bitrix24.portal(fields={"deal": {"fields": {"xmlId": told}}})
        [deal] = presets.bitrix24.deals({"id": 5, "xmlId": "a", "jobTitle": "b"}, rules=rules)
        assert {"XML_ID": "a", "jobTitle": "b"} == deal.custom

    def test_a_conversion(self) -> None:
        """A lead converts under the rules of its own portal."""
        rules = attrs.evolve(
            presets.bitrix24.portal(
                userfields=[own("string", "UF_CRM_1", MANDATORY="Y")],
                statuses=[stage("C1:OPEN", "DEAL_STAGE_1"), stage("GOODS", "DEAL_TYPE")],
                categories=[{"id": 1, "name": "Sales", "isDefault": "Y"}],
            ),
            policy=Policy.allow_all(),
        )
        lead = Lead(id="7", stage="NEW", title="Engine")
        with pytest.raises(errors.MissingFieldsError) as error:
            convert(lead, ["deal"], rules=rules, actor=Actor("1"), at=AT)
        assert ["UF_CRM_1"] == [one.field for one in error.value.problems]

    def test_first_stage_and_type(self) -> None:
        """A new deal is in the first stage of the portal's default, and of its first type."""
        rules = attrs.evolve(
            presets.bitrix24.portal(
                statuses=[stage("C1:OPEN", "DEAL_STAGE_1"), stage("GOODS", "DEAL_TYPE")],
                categories=[{"id": 1, "name": "Sales", "isDefault": "Y"}],
            ),
            policy=Policy.allow_all(),
        )
        assert ["leads", "1"] == [one.id for one in rules.pipelines]
        lead = Lead(id="7", stage="NEW", title="Engine")
        deal = convert(lead, ["deal"], rules=rules, actor=Actor("1"), at=AT).deal
        assert ("1", "C1:OPEN", "GOODS") == (deal.pipeline, deal.stage, deal.type)

    def test_all_mistakes_at_once(self) -> None:
        """Every mistake of every answer is in the one error, with its place."""
        twice = [{"ID": "44", "VALUE": "a"}, {"ID": "44", "VALUE": "b"}]
        assert [
            "categories 0: Y or N is needed here, not a value of type str",
            "statuses DEAL_STAGE_5: there is no category '5'",
            "pipeline 0: a pipeline needs a stage in process",
            "fields: there is no kind 'deals', did you mean 'deal'?",
            "fields lead: an object is needed here, not a value of type str",
            "fields contact.NAME: an object is needed here, not a value of type str",
            "fields contact.POST: yes or no is needed here, not a value of type str",
            "userfields: there is no entity 'CRM_DEALS', did you mean 'CRM_DEAL'?",
            "userfields CRM_DEAL: a field needs an id that is not blank",
            "userfields CRM_DEAL.UF_B: yes or no is needed here, not a value of type int",
            "fields deal.UF_A: option '44' stands twice",
            f"fields deal.UF_C: the value does not fit: {FLOAT}",
        ] == refused(
            fields={
                "deals": {},
                "lead": "x",
                "contact": {"NAME": "x", "POST": {"type": "string", "isMultiple": "?"}},
            },
            userfields=[
                own("string", ENTITY_ID="CRM_DEALS"),
                own("string", ""),
                own("enumeration", "UF_A", LIST=twice),
                own("string", "UF_B", MANDATORY=7),
                own("double", "UF_C", SETTINGS={"DEFAULT_VALUE": 1.5}),
            ],
            statuses=[stage("C5:NEW", "DEAL_STAGE_5")],
            categories=[{"id": 0, "isDefault": "?"}],
        )
