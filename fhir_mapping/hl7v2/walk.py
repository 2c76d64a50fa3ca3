"""The walk over a message: which segment belongs to which resource, by the order of the segments.

Every segment has a handler; handlers are registered by segment name in the modules of ``groups``. What they share is
here: the drafts made so far, the one at hand of each kind, ids, and the application of segment maps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from fhir_mapping.hl7v2.compile import Draft, SegmentMap, compile_map
from fhir_mapping.hl7v2.context import SUBJECTS, Context, Fragment, resource_id
from fhir_mapping.hl7v2.message import Segment
from fhir_mapping.hl7v2.tables import Tables


@dataclass
class Order:
    """One order group: what its ORC and OBR (or RXO, RXA ...) have made; ``seen``: its detail segments so far;
    ``results_behind``: its results stand behind the specimen."""

    kind: str
    orc: Segment | None = None
    key: tuple[str, ...] = ()
    request: Draft | None = None
    report: Draft | None = None
    specimen: Draft | None = None
    specimens: int = 0
    results_behind: bool = False
    seen: set[str] = field(default_factory=set)
    observations: list[Draft] = field(default_factory=list)


@dataclass
class Walk:
    """The state of a walk. ``notes`` is the draft an NTE belongs to; ``host`` the one a PRT or ROL takes part in."""

    context: Context
    maps: Callable[[str], SegmentMap | None]
    drafts: dict[str, Draft] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    index: int = 0
    first_patient: Draft | None = None
    patient: Draft | None = None
    visit: Draft | None = None
    prior_visit: Segment | None = None
    account: Draft | None = None
    coverage: Draft | None = None
    insured: Draft | None = None
    order: Order | None = None
    specimen: Draft | None = None
    leading_specimen: Draft | None = None
    after_specimen: bool = False
    observation: Draft | None = None
    allergy: Draft | None = None
    problem: Draft | None = None
    procedure: Draft | None = None
    charge: Draft | None = None
    charged: Draft | None = None
    appointment: Draft | None = None
    document: Draft | None = None
    txa: Segment | None = None
    in_document: bool = False
    body: list[Segment] = field(default_factory=list)
    medication: Draft | None = None
    staff: Draft | None = None
    referral: Draft | None = None
    notes: Draft | None = None
    host: Draft | None = None
    last_draft: Draft = field(default_factory=lambda: Draft({}))
    provenance: list[Draft] = field(default_factory=list)
    order_provenance: list[tuple[Draft, Order | None]] = field(default_factory=list)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """All segments of the message."""
        return self.context.message.segments

    @property
    def kind(self) -> tuple[str, str]:
        """Message code and trigger event."""
        return self.context.message.kind

    def draft(self, type_: str, *key: str, text: str = "") -> Draft:
        """A draft by its business key. The same key and text again is the same draft; another text is a second one."""
        identity = resource_id(type_, *key)
        number = 0
        while identity in self.drafts and self.texts[identity] != text:
            number += 1
            identity = resource_id(type_, *key, str(number))
        if identity not in self.drafts:
            draft = self.drafts[identity] = Draft.of(type_, identity)
            self.texts[identity] = text
            if self.patient is not None and (element := SUBJECTS.get(type_)):
                draft.root[element] = self.reference(self.patient)
        self.last_draft = self.drafts[identity]
        return self.last_draft

    def forget(self, draft: Draft) -> None:
        """Take a draft back."""
        self.drafts.pop(str(draft.root["id"]), None)

    def start_patient(self, draft: Draft) -> None:
        """Another patient begins: the visit, orders and so on of the one before are over."""
        self.close_order()
        self.patient = draft
        self.first_patient = self.first_patient or draft
        self.visit = self.account = self.coverage = self.insured = self.allergy = self.problem = self.procedure = None
        self.medication = self.leading_specimen = self.charge = self.charged = self.prior_visit = None

    def close_order(self) -> None:
        """The order group at hand is over."""
        self.order = None
        self.in_document = False
        self.specimen = self.observation = None
        self.after_specimen = False

    def tables_have(self, name: str) -> bool:
        """Whether there is a map of this name."""
        return self.maps(name) is not None

    def link_one(self, draft: Draft, element: str, to: Draft | None) -> None:
        """Set a single reference where none is yet."""
        found = self.reference(to)
        if found is not None:
            draft.root.setdefault(element, found)

    def apply(self, name: str, segment: Segment, draft: Draft) -> None:
        """Run a segment map; one that no table has does nothing."""
        if (compiled := self.maps(name)) is not None:
            compiled.apply(self.context, segment, draft)

    def reference(self, draft: Draft | None) -> dict[str, str] | None:
        """A reference to a draft."""
        return {"reference": reference_of(draft)} if draft else None

    def link(self, draft: Draft, element: str, to: Draft | None) -> None:
        """Set a reference, or add it to a list of references."""
        found = self.reference(to)
        if found is None:
            return
        if element in _LISTS:
            values = draft.root.setdefault(element, [])
            if found not in values:
                values.append(found)
        else:
            draft.root.setdefault(element, found)

    def ensure_patient(self) -> Draft:
        """The patient at hand; a message without PID is about one that it does not name."""
        if self.patient is None:
            self.patient = self.draft("Patient", "unnamed", self.context.message.header.text)
            self.first_patient = self.patient
        return self.patient

    def following(self, stop: frozenset[str]) -> list[Segment]:
        """The segments behind the current one, up to the first of the names in ``stop``."""
        found: list[Segment] = []
        for segment in self.segments[self.index + 1 :]:
            if segment.name in stop:
                break
            found.append(segment)
        return found


_LISTS = frozenset({"account", "basedOn", "result", "specimen", "supportingInfo"})


def reference_of(draft: Draft) -> str:
    """``Type/id``."""
    return f"{draft.root['resourceType']}/{draft.root['id']}"


def without_number(segment: Segment) -> str:
    """A segment's text without its set id (field 1): what it says, wherever it stands."""
    separator = segment.delimiters.field
    fields = segment.text.split(separator)
    return separator.join(["", *fields[2:]]).rstrip(separator)


def key_of(segment: Segment, *fields: int) -> str:
    """Some fields' raw texts, as a key."""
    return "\x1e".join(segment.raw(number) for number in fields)


@lru_cache(maxsize=16)
def map_finder(tables: Tables) -> Callable[[str], SegmentMap | None]:
    """Compiled maps of some tables, each compiled when it is first asked for."""
    compiled: dict[str, SegmentMap | None] = {}

    def find(name: str) -> SegmentMap | None:
        if name not in compiled:
            lines = tables.maps.get(name)
            resource = name[4:-1].split("-")[0]
            compiled[name] = compile_map(name, resource, lines) if lines else None
        return compiled[name]

    return find


Handler = Callable[[Walk, Segment], None]
HANDLERS: dict[str, Handler] = {}


def handles(*names: str) -> Callable[[Handler], Handler]:
    """Register a function as the handler of segments."""

    def register(function: Handler) -> Handler:
        for name in names:
            HANDLERS[name] = function
        return function

    return register


__all__ = [
    "HANDLERS",
    "Draft",
    "Fragment",
    "Order",
    "Walk",
    "handles",
    "key_of",
    "map_finder",
    "reference_of",
    "without_number",
]
