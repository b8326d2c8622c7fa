"""Convert CRM leads into contacts, companies, deals or any record: decided whole, applied whole.

The library decides and never writes: `plan` tells what a conversion would do, `convert` returns its
result or raises a typed error, and the result's changes are what a store applies, all or nothing.
"""

from leadconvert import errors
from leadconvert.access import (
    AccessRequest,
    Action,
    Actor,
    Authorizer,
    Decision,
    Grant,
    Scope,
)
from leadconvert.acting import RuleRefused
from leadconvert.arrivals import arrive, convert_unfinished
from leadconvert.automation import Automation, AutomationRule, WithoutLeads
from leadconvert.changes import (
    Attach,
    Change,
    ChangeSet,
    Claim,
    Delete,
    Detach,
    Event,
    Insert,
    Receipt,
    Update,
)
from leadconvert.children import ChildRule, Travel
from leadconvert.choosing import Choices
from leadconvert.columns import Column
from leadconvert.conditions import AllOf, AnyOf, Comparison, Condition, Not, Where
from leadconvert.conversion import (
    Converted,
    Rejected,
    can_convert,
    convert,
    convert_batch,
    convert_many,
)
from leadconvert.diffing import Difference, diff
from leadconvert.fields import Field, FieldType, Option
from leadconvert.findings import Finding, Severity
from leadconvert.following import Fate, Followed, Whereabouts, follow
from leadconvert.happenings import Happened, Happening, history
from leadconvert.kinds import Kind
from leadconvert.limits import Limit, Made
from leadconvert.linting import lint
from leadconvert.losses import Leftovers, Losses
from leadconvert.mapping import FieldMapping, Overflow
from leadconvert.matching import (
    Exceptions,
    Match,
    Matching,
    MatchKey,
    MatchRule,
    Normalizer,
    Plain,
    Then,
)
from leadconvert.merging import Conflict, Merger
from leadconvert.moves import MovePlan, advance, plan_move
from leadconvert.organisation import Member, Organisation, Unit
from leadconvert.owning import OwnerRule, Ownership
from leadconvert.past import Conversion, StageChange, Undoing, Undone
from leadconvert.pipelines import Pipeline, Required, Stage, StageRole
from leadconvert.planning import plan
from leadconvert.plans import Draft, FormField, Plan, Question, Shown
from leadconvert.policy import Combine, Policy, Role
from leadconvert.records import Company, Contact, Deal, GenericRecord, Lead, Record
from leadconvert.refreshing import Adjusted, Adjustment, Refreshed, refresh
from leadconvert.results import ChildOutcome, ConversionResult, Outcome, Row, TargetOutcome
from leadconvert.resuming import Changed, Inquiry, Resumed, inquire, resume
from leadconvert.reversal import plan_reversal, reverse, wanted_reversal
from leadconvert.reverted import Reversal, ReversalPlan
from leadconvert.rules import ConversionRules
from leadconvert.seeding import seed
from leadconvert.spreading import (
    NEW,
    AddOptions,
    CreateField,
    Existing,
    Placement,
    SchemaChange,
    Spread,
    reconsider,
    spread,
)
from leadconvert.suggesting import Doubt, Suggestion, suggest
from leadconvert.targets import (
    Create,
    Find,
    Known,
    Link,
    Merge,
    Mode,
    Pending,
    Request,
    Target,
    Wanted,
    survivor,
)
from leadconvert.traces import Trace, TraceStep
from leadconvert.transforms import Transform
from leadconvert.values import Address, Channel, FrozenMap, Product, Ref
from leadconvert.wanting import match_keys, wanted
from leadconvert.whole import MoveResult


__all__ = [
    "NEW",
    "AccessRequest",
    "Action",
    "Actor",
    "AddOptions",
    "Address",
    "Adjusted",
    "Adjustment",
    "AllOf",
    "AnyOf",
    "Attach",
    "Authorizer",
    "Automation",
    "AutomationRule",
    "Change",
    "ChangeSet",
    "Changed",
    "Channel",
    "ChildOutcome",
    "ChildRule",
    "Choices",
    "Claim",
    "Column",
    "Combine",
    "Company",
    "Comparison",
    "Condition",
    "Conflict",
    "Contact",
    "Conversion",
    "ConversionResult",
    "ConversionRules",
    "Converted",
    "Create",
    "CreateField",
    "Deal",
    "Decision",
    "Delete",
    "Detach",
    "Difference",
    "Doubt",
    "Draft",
    "Event",
    "Exceptions",
    "Existing",
    "Fate",
    "Field",
    "FieldMapping",
    "FieldType",
    "Find",
    "Finding",
    "Followed",
    "FormField",
    "FrozenMap",
    "GenericRecord",
    "Grant",
    "Happened",
    "Happening",
    "Inquiry",
    "Insert",
    "Kind",
    "Known",
    "Lead",
    "Leftovers",
    "Limit",
    "Link",
    "Losses",
    "Made",
    "Match",
    "MatchKey",
    "MatchRule",
    "Matching",
    "Member",
    "Merge",
    "Merger",
    "Mode",
    "MovePlan",
    "MoveResult",
    "Normalizer",
    "Not",
    "Option",
    "Organisation",
    "Outcome",
    "Overflow",
    "OwnerRule",
    "Ownership",
    "Pending",
    "Pipeline",
    "Placement",
    "Plain",
    "Plan",
    "Policy",
    "Product",
    "Question",
    "Receipt",
    "Record",
    "Ref",
    "Refreshed",
    "Rejected",
    "Request",
    "Required",
    "Resumed",
    "Reversal",
    "ReversalPlan",
    "Role",
    "Row",
    "RuleRefused",
    "SchemaChange",
    "Scope",
    "Severity",
    "Shown",
    "Spread",
    "Stage",
    "StageChange",
    "StageRole",
    "Suggestion",
    "Target",
    "TargetOutcome",
    "Then",
    "Trace",
    "TraceStep",
    "Transform",
    "Travel",
    "Undoing",
    "Undone",
    "Unit",
    "Update",
    "Wanted",
    "Where",
    "Whereabouts",
    "WithoutLeads",
    "advance",
    "arrive",
    "can_convert",
    "convert",
    "convert_batch",
    "convert_many",
    "convert_unfinished",
    "diff",
    "errors",
    "follow",
    "history",
    "inquire",
    "lint",
    "match_keys",
    "plan",
    "plan_move",
    "plan_reversal",
    "reconsider",
    "refresh",
    "resume",
    "reverse",
    "seed",
    "spread",
    "suggest",
    "survivor",
    "wanted",
    "wanted_reversal",
]
