"""What each code of a problem says in English: what is wrong, and the way out."""

from collections.abc import Mapping
from typing import Final


__all__ = ["SENTENCES"]

#: code -> what is wrong, and the way out. The braces hold names of a problem's plain facts.
SENTENCES: Final[Mapping[str, tuple[str, str]]] = {
    # access
    "no_grant": (
        "{actor} may not {action} {kind}: no role of theirs permits it{hint}",
        "ask for a role that may{whom}, or leave it out",
    ),
    "out_of_scope": (
        "{actor} may not {action} this {kind}: their permission does not reach it",
        "ask for a wider permission{whom}, or choose another owner",
    ),
    "stage_not_listed": (
        "{actor} may not {action} this {kind} there: their permission lists other stages",
        "ask for a wider permission{whom}",
    ),
    "forbidden": (
        "{actor} may not {action} this {kind}: role {role!r} forbids it",
        "let somebody else do it, or leave it out",
    ),
    "denied": (
        "{actor} may not {action} this {kind}",
        "ask for the right{whom}, or leave it out",
    ),
    "not_answered": (
        "nobody has answered yet whether {actor} may {action} this {kind}",
        "ask what required_access lists, and hand the decisions over in known=",
    ),
    "hidden": (
        "{kind} needs something that {actor} may not see",
        "let somebody convert it who may see it, or leave it out",
    ),
    # the lead
    "converted": (
        "the lead is converted already, into {became}",
        "work with those records, or make more of it with mode='supplement'",
    ),
    "in_success_stage": (
        "the lead stands in the success stage {stage!r}, so it counts as converted",
        "work with the records it became, or make more of it with mode='supplement'",
    ),
    "not_converted": (
        "the lead is not converted yet, so there is nothing to add to",
        "convert it, without mode='supplement'",
    ),
    "not_staged": (
        "the rules convert a lead as a whole, so it cannot stay open",
        "leave closing=False out",
    ),
    "in_failure_stage": (
        "the {kind} stands in the failure stage {stage!r}",
        "move it back to a stage in process first",
    ),
    "stage_disagrees": (
        "the lead was converted into {became}, yet stands in {stage!r} instead of {success!r}",
        "put it into that stage, or take the conversion back",
    ),
    "already_there": ("the {kind} stands in {to!r} already", "there is nothing to do"),
    "leaves_success": (
        "the {kind} stands in the success stage {stage!r}",
        "reopen it instead of moving it",
    ),
    "not_listed": (
        "no move of a {kind} from {stage!r} to {to!r} is listed",
        "choose one that is, or add it to the list",
    ),
    "backwards": (
        "pipeline {pipeline!r} moves forward only, not from {stage!r} back to {to!r}",
        "list the move in the stage, or leave it",
    ),
    "no_stages_here": ("records of kind {kind} have no stages", "move something else"),
    "no_conversion_there": (
        "moving to {to!r} converts nothing, so there is nothing to convert into",
        "leave the targets out, or move a lead to its success stage",
    ),
    "unknown_stage": (
        "the {kind} stands in {stage!r}, which pipeline {pipeline!r} does not have{hint}",
        "correct the stage, or add it to the rules",
    ),
    # targets
    "no_targets": ("nothing to convert into was chosen", "choose among {kinds}"),
    "nothing_open": (
        "nothing to convert into was chosen, and {actor} may make nothing of it",
        "ask for a role that may make one of {kinds}",
    ),
    "unknown_kind": ("there is no kind {wanted!r} to convert into{hint}", "choose among {kinds}"),
    "record_not_there": (
        "there is no {kind} {id!r} to work with",
        "load what wanted() lists, or choose another record",
    ),
    "stale_target": (
        "{kind} {id!r} has changed since: it has revision {now!r}, not {wanted!r}",
        "look at it again, and choose anew",
    ),
    "two_on_one": ("two targets end on one record, {kind} {id!r}", "leave one of them out"),
    "link_with_values": (
        "{kind} {id!r} is to be linked, which changes nothing in it",
        "leave values= out, or merge into it",
    ),
    "several_matches": (
        "{count} records of kind {kind} match the lead: {ids}",
        "choose one with Link or Merge, or make a new one with Create",
    ),
    "match_to_decide": (
        "the {kind} {ids} matches the lead",
        "choose it with Link or Merge, or make a new one with Create",
    ),
    "match_refused": (
        "the {kind} {ids} matches the lead, and the rules make no second one",
        "choose it with Link or Merge",
    ),
    "clients_disagree": (
        "the {kind} would have the {other} {one!r}, but its {via} has {two!r}",
        "choose {two!r} with Link, or correct the {via}",
    ),
    "not_eligible": (
        "the owner of the {kind} may not own one now",
        "give it to somebody who may, with values=",
    ),
    "never_made": ("the rules make no {kind}", "leave it out, or choose one with Link"),
    "has_open": (
        "the {client} has an open {kind} already, {id!r}",
        "choose it with Link, or close it first",
    ),
    "on_exceptions_list": (
        "a phone or an e-mail of the lead is on the list of exceptions",
        "convert it by hand, or take it off the list",
    ),
    "merge_failed": (
        "merging by {merger!r} could not make a value of {kind}.{field} ({error})",
        "supply the value in values=",
    ),
    "duplicate_id": (
        "two records of kind {kind} would have the id {id!r}",
        "give each target its own id",
    ),
    # fields
    "required": ("{kind} needs {label}", "supply it in values="),
    "required_at": ("{kind} needs {label} to stand in {stage!r}", "supply it in values="),
    "any_required": ("{kind} needs one of {labels}", "supply one in values="),
    "currency_required": (
        "{kind} has an amount in {amount_label} but no currency",
        "supply {label} in values=",
    ),
    "unknown_field": (
        "{kind} has no field {field!r}{hint}",
        "correct the name, or add the field to the kind",
    ),
    "reserved_field": (
        "{kind}.{field} is set by the conversion itself",
        "leave it out of values=",
    ),
    "wrong_type": (
        "{kind}.{field} takes {expected}, not a value of type {given}",
        "correct the value",
    ),
    "too_long": (
        "{kind}.{field} takes {max_length} characters, the value has {length}",
        "shorten it",
    ),
    "unknown_option": (
        "{kind}.{field} has no option such as the given one, only {options}",
        "choose among them, or map the value with values={{...}}",
    ),
    "several_values": (
        "{kind}.{field} takes one value, not {count}",
        "map it with transform='first' or 'join', or supply one value",
    ),
    "not_finite": ("{kind}.{field} takes a finite number", "correct the value"),
    "naive_moment": (
        "{kind}.{field} takes a moment that says its time zone",
        "give it one: datetime(..., tzinfo=UTC)",
    ),
    "unknown_record": (
        "{kind}.{field} points at a {to} that was not handed over in known=",
        "load what wanted() lists, or point at another record",
    ),
    "unknown_pipeline": ("{kind} has no pipeline as given{hint}", "choose among {pipelines}"),
    "unknown_target_stage": (
        "pipeline {pipeline!r} has no stage as given{hint}",
        "choose among {stages}",
    ),
    "transform_failed": (
        "transform {transform!r} could not turn {source} into {kind}.{field} ({error})",
        "supply the value in values=, or correct the lead",
    ),
    "constructor_failed": (
        "the class of kind {kind} refused its values ({error})",
        "supply values it accepts",
    ),
    "not_editable": (
        "{kind}.{field} is not for {actor} to fill",
        "leave it out, or let somebody fill it who may",
    ),
    "required_of_others": (
        "{kind} needs {labels}, which {actor} may not fill",
        "let somebody fill it who may",
    ),
    # carry=
    "carry_unknown_source": (
        "carry= names {source!r}, which is no custom field of the lead{hint}",
        "correct the name",
    ),
    "carry_unknown_kind": (
        "carry= sends {source} to {wanted!r}, which is no kind{hint}",
        "choose among {kinds}",
    ),
    "carry_not_asked": (
        "carry= names {source}, which a mapping has decided on already",
        "change the rules, or leave it out",
    ),
    "carry_conflict": (
        "carry= sends {source} to {kind}.{field}, which another field fills already",
        "choose another field",
    ),
    # strict rules
    "would_drop": (
        "{source} of the lead would be lost",
        "map it, leave it behind on purpose, or choose a kind it goes to",
    ),
    # taking back
    "nothing_to_undo": ("no conversion of the lead is in force", "there is nothing to take back"),
    "unknown_conversion": (
        "the lead has no conversion {conversion!r}{hint}",
        "choose among {conversions}",
    ),
    "undone_already": (
        "conversion {conversion!r} was {how} already",
        "there is nothing to take back",
    ),
    "newer_first": (
        "conversion {conversion!r} is not the newest in force",
        "take back {newer} first",
    ),
    "too_late": (
        "conversion {conversion!r} was made {age} ago, and can be taken back within {within}",
        "reopen the lead with keep=True, or change the rules",
    ),
    "no_trace": (
        "the trace of conversion {conversion!r} was not handed over in known=",
        "load what wanted_reversal() lists",
    ),
    "changed_since": (
        "{kind} {id!r} has changed since, in {fields}",
        "let it stay with partial=True, or change it back",
    ),
    "changed_unseen": (
        "{kind} {id!r} has changed since, in something that {actor} may not see",
        "let it stay with partial=True, or let somebody take it back who may see it",
    ),
    "has_others": (
        "other records still refer to {kind} {id!r}: {count}",
        "let it stay with partial=True, or give them to another",
    ),
    "merged_away": (
        "{kind} {id!r} was merged into {survivor!r} since",
        "let that stay with partial=True",
    ),
    "gone_since": (
        "{kind} {id!r} is gone, or was not handed over in known=",
        "load what wanted_reversal() lists, or do without it with partial=True",
    ),
    # answers
    "not_asked": (
        "nobody asked for {name} of {what}{hint}",
        "answer what the form and the questions ask",
    ),
    # tables
    "no_table": (
        "no table can be read: {why}",
        "correct the file, or say what separates cells",
    ),
    "no_columns": (
        "the rules say nothing of columns",
        "add columns= to them; the command leadconvert columns proposes which",
    ),
    "short_row": (
        "the row has {count} of {expected} cells",
        "quote the line breaks in its cells, or fill it up",
    ),
    "no_header": (
        "a value stands in a column without a header",
        "give the column one, or quote what separates cells",
    ),
    "no_id": ("the row has no id", "fill it in, or number the rows: prefix="),
    "not_text": ("the cell holds a byte that is no UTF-8", "save the file in UTF-8"),
    "other_form": (
        "{kind}.{field} takes {expected}, not what stands there",
        "correct it, or say in the column how it is written",
    ),
    # definitions
    "duplicate": ("{what} {name!r} stands twice", "remove or rename one"),
    "unknown": ("there is no {what} {name!r}{hint}", "correct the name"),
    "unknown_choice": ("there is no {what} {name!r}", "choose among {choices}"),
    "blank_id": ("a {what} needs an id that is not blank", "give it one"),
    "reserved_id": ("{name!r} has a meaning of its own", "choose another id"),
    "no_options": ("an enumeration needs options", "give it options=[...]"),
    "misplaced": ("{what} says nothing about a field of type {type}", "leave it out"),
    "bad_default": ("the value does not fit: {why}", "correct it"),
    "bad_length": ("max_length must be 1 or more", "correct it"),
    "no_kind_of_reference": ("a reference needs the kind it points at", "give it to='...'"),
    "not_attrs": ("{name} is no attrs class", "decorate it with @attrs.frozen"),
    "not_frozen": ("{name} is not frozen", "decorate it with @attrs.frozen"),
    "no_member": ("{name} has no attribute {member!r}", "add it"),
    "no_type": (
        "nothing says what a value of {name!r} is",
        "describe it with Field({name!r}, ...)",
    ),
    "custom_is_standard": (
        "{name!r} is an attribute of the class",
        "describe it in fields=, not in custom=",
    ),
    "never_hidden": (
        "{name!r} says where a record stands, which cannot be hidden",
        "do not mark it as sensitive",
    ),
    "no_back_pointer": (
        "nothing points back at the lead",
        "add a multiple reference to the lead's kind, and name it in converted_from=",
    ),
    "single_back_pointer": (
        "{name!r} points back at one lead only",
        "make it multiple: a record may come from several leads",
    ),
    "lead_class": ("the class of the leads is not leadconvert.Lead", "use kinds.LEAD, refined"),
    "shared_class": ("kinds {names} share the class {class_name}", "give each kind its own class"),
    "cycle": ("kinds refer to each other in a circle: {names}", "remove one of the references"),
    "parent_cycle": (
        "{what} form a circle of parents: {names}",
        "give one of them another parent, or none",
    ),
    "one_success": (
        "a lead's pipeline has exactly one success stage, this one has {count}",
        "mark one stage as success",
    ),
    "no_process": ("a pipeline needs a stage in process", "add one"),
    "one_pipeline": ("kind {name!r} needs exactly one pipeline, it has {count}", "keep one"),
    "no_pipeline": ("kind {name!r} has stages but no pipeline", "add one"),
    "no_stages": ("kind {name!r} has no stage field, yet a pipeline", "name it in stage="),
    "one_default": (
        "kind {name!r} has {count} pipelines and {defaults} defaults",
        "mark one pipeline as default",
    ),
    "empty_grant": ("a grant with {what} says nothing", "add what it lacks, or remove it"),
    "misplaced_in_grant": ("{what} says nothing {where}", "leave it out"),
    "never_applies": ("a grant on {name!r} can never apply: {why}", "correct or remove it"),
    "wrong_shape": ("{what} is needed here, not a value of type {given}", "correct it"),
    "misplaced_range": ("a range of stages cannot have {what}: {why}", "correct it"),
    "backward_range": (
        "the stages from {since!r} to {until!r} run backwards",
        "turn them round",
    ),
    "bad_owner_rule": ("an owner rule cannot be: {why}", "correct or remove it"),
    "bad_limit": ("a limit cannot be: {why}", "correct or remove it"),
    "bad_match_rule": ("a match rule cannot be: {why}", "correct it"),
    "bad_child_rule": ("a child rule cannot be: {why}", "correct it"),
    "bad_conflict": ("{name} cannot be merged by {rule!r}: {why}", "choose another rule"),
    "bad_column": ("a column cannot be: {why}", "correct or remove it"),
    "bad_condition": ("a condition on {name} cannot be: {why}", "correct it"),
    "bad_rule": ("the rule {why}", "correct or remove it"),
    "rule_cycle": ("rules move a lead in a circle: {names}", "remove one of the moves"),
    "two_mappings": (
        "{names} are both mapped to {name}",
        "make one the fallback of the other",
    ),
    "decided_twice": ("{name} is mapped and left behind as well", "keep one of the two"),
    "unmappable": ("{name} is set by the conversion itself", "remove the mapping"),
    "bad_template": ("a template cannot be read: {why}", "correct it"),
    "incomplete_mapping": ("a mapping has {what}", "correct it"),
    "lambda": ("{what} {name!r} is a lambda or a local function", "define it in a module"),
    "does_not_fit": ("{name} does not fit {other}: {why}", "choose a field of the same type"),
    "decided_already": (
        "where {name} goes is decided already",
        "remove its mapping, or take back with reconsider() that it was declined",
    ),
    "not_declined": ("{name} was not declined", "name what was"),
    "unclear": (
        "where {name} goes in {into} is not plain ({why}: {names})",
        "say it with spread()",
    ),
    # files of rules
    "bad_syntax": ("this is no {format}: {why}", "correct it"),
    "unreadable": ("the file cannot be read: {why}", "name a file that can, in UTF-8"),
    "too_large": ("the file has more than {limit} bytes", "leave out what is no rule"),
    "too_deep": ("the file is nested deeper than {limit} levels", "make it flatter"),
    "no_version": (
        "the file does not say of which version it is",
        "write schema_version = {present} at its top",
    ),
    "bad_version": ("there is no such version", "write schema_version = {present}"),
    "newer_version": (
        "the file is of version {version}, this release knows {present}",
        "install a newer release",
    ),
    "missing_key": ("the key {name!r} is missing", "add it"),
    "bad_value": ("this cannot be: {why}", "correct it"),
    "unbound": (
        "nobody has bound the {what} {name!r}{hint}",
        "correct the name, or hand it over in {argument}=",
    ),
    "unwritable": ("{what} has no form in a file: {why}", "leave it out"),
}
