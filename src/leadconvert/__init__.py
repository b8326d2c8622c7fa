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
from leadconvert.conditions import AllOf, AnyOf, Comparison, Condition, Not, Where
from leadconvert.conversion import (
    Converted,
    Rejected,
    can_convert,
    convert,
    convert_batch,
    convert_many,
)
from leadconvert.fields import Field, FieldType, Kind, Option
from leadconvert.following import Fate, Followed, Whereabouts, follow
from leadconvert.happenings import Happened, Happening, history
from leadconvert.limits import Limit, Made
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
from leadconvert.results import ChildOutcome, ConversionResult, Outcome, Row, TargetOutcome
from leadconvert.resuming import Changed, Inquiry, Resumed, inquire, resume
from leadconvert.reversal import plan_reversal, reverse, wanted_reversal
from leadconvert.reverted import Reversal, ReversalPlan
from leadconvert.rules import NEW, ConversionRules, CreateField, Placement, Spread
from leadconvert.seeding import seed
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
    "Address",
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
    "Draft",
    "Event",
    "Exceptions",
    "Fate",
    "Field",
    "FieldMapping",
    "FieldType",
    "Find",
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
    "Limit",
    "Link",
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
    "OwnerRule",
    "Overflow",
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
    "Rejected",
    "Request",
    "Required",
    "Resumed",
    "Reversal",
    "ReversalPlan",
    "Role",
    "Row",
    "RuleRefused",
    "Scope",
    "Shown",
    "Spread",
    "Stage",
    "StageChange",
    "StageRole",
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
    "errors",
    "follow",
    "history",
    "inquire",
    "match_keys",
    "plan",
    "plan_move",
    "plan_reversal",
    "resume",
    "reverse",
    "seed",
    "survivor",
    "wanted",
    "wanted_reversal",
]
