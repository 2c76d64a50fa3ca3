"""Mapping lines compiled once to closures and run over a segment: each valued field is read and put in its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.errors import SpecError
from contracts.fhir.json_text import DecimalText
from fhir_mapping.hl7v2.conditions import Condition, compile_condition
from fhir_mapping.hl7v2.context import Context, Fragment
from fhir_mapping.hl7v2.elements import types
from fhir_mapping.hl7v2.kinds import Reader, reader, source_type
from fhir_mapping.hl7v2.message import NULL, Segment
from fhir_mapping.hl7v2.paths import FhirPath, Step, compile_path
from fhir_mapping.hl7v2.same import can_be_one
from fhir_mapping.hl7v2.tables import Line

_DOSAGE = "dosageInstruction"
_OTHER = "\0other"


@dataclass
class Draft:
    """A resource in the making; ``items`` finds list items again by their label and repetition.

    ``space`` is the map that is being applied: its labels mean nothing to other maps. ``others`` are the further
    repetitions of a person or organization for which the resource has one place only.
    """

    root: Fragment
    items: dict[tuple[int, str, str, int], Fragment] = field(default_factory=dict)
    origins: dict[tuple[int, str, str, int], str] = field(default_factory=dict)
    space: str = ""
    others: list[Fragment] = field(default_factory=list)

    def key(self, node: Fragment, step: Step, repetition: int) -> tuple[int, str, str, int]:
        """What a list item of this step is found by."""
        return (id(node), step.key, f"{self.space}|{step.label}" if step.label else "", repetition)

    @classmethod
    def of(cls, type_: str, id_: str | None = None) -> Draft:
        """An empty resource."""
        return cls({"resourceType": type_, "id": id_} if id_ else {"resourceType": type_})


@dataclass(frozen=True)
class _Action:
    """One compiled line."""

    source: str
    component: int
    when: Condition | None
    read: Reader | None
    constant: Any
    put: Callable[[Draft, int, Any], None]
    is_whole: bool


@dataclass(frozen=True)
class SegmentMap:
    """A compiled map: what happens at once, and what at each field."""

    name: str
    resource: str
    always: tuple[_Action, ...]
    fields: tuple[tuple[int, tuple[_Action, ...]], ...]

    def apply(self, context: Context, segment: Segment, draft: Draft) -> None:
        """Read the segment into the draft."""
        draft.space = self.name
        for action in self.always:
            if action.when is None or action.when(context.scope, ""):
                action.put(draft, 0, action.constant)
        size = len(segment.fields)
        for number, actions in self.fields:
            if number >= size:
                break
            if segment.fields[number] and segment.fields[number] != NULL:
                _apply_field(context, segment, draft, number, actions)


def _apply_field(context: Context, segment: Segment, draft: Draft, number: int, actions: Sequence[_Action]) -> None:
    for repetition, raw in enumerate(segment.repetitions(number)):
        if not raw or raw == NULL:
            continue
        for action in actions:
            if action.is_whole and repetition:
                continue
            text = raw if not action.component else context.raw_at(context.split(raw), action.component)
            if not text or (action.when is not None and not action.when(context.scope, raw)):
                continue
            context.where = action.source
            value = action.constant if action.read is None else action.read(context, text)
            if value is not None:
                action.put(draft, repetition, value)


def compile_map(name: str, resource: str, lines: Sequence[Line]) -> SegmentMap:
    """The lines of one map.

    Raises:
        SpecError: a path, condition or kind is wrong; names file and line.
    """
    always: list[_Action] = []
    fields: dict[int, list[_Action]] = {}
    for line in lines:
        try:
            action, number = _compile(line, resource)
        except SpecError as error:
            raise SpecError(f"{line.where}: {name}: {error}") from error
        (fields.setdefault(number, []) if number else always).append(action)
    return SegmentMap(name, resource, tuple(always), tuple((n, tuple(a)) for n, a in sorted(fields.items())))


def _compile(line: Line, resource: str) -> tuple[_Action, int]:
    number, component = _source(line.source)
    when = compile_condition(line.when)
    source, named = source_type(line.kind)
    if line.target == "$this":
        read = reader(line.kind, resource, line.codes, line.where)
        return _Action(line.source, component, when, read, None, _merge_root, source == "varies"), number
    path = compile_path(line.target, resource)
    if path.type == "Reference" and named.split("-")[0] in types() and not path.steps[-1].resource:
        path = compile_path(f"{line.target}>{named.split('-')[0]}", resource)
    put = _putter(path, line.source)
    if line.value:
        return _Action(line.source, component, when, None, _constant(path, line.value), put, False), number
    read = reader(line.kind, path.type, line.codes, line.where)
    return _Action(line.source, component, when, read, None, put, False), number


def _source(text: str) -> tuple[int, int]:
    """Field and component number of ``PID-3.1``; 0 for none."""
    _, _, rest = text.partition("-")
    number, _, component = rest.partition(".")
    try:
        return int(number or 0), int(component or 0)
    except ValueError:
        raise SpecError(f"{text!r} is no field; expected for example PID-3 or OBX-5.1.") from None


def _constant(path: FhirPath, text: str) -> Any:
    if path.type == "boolean":
        return text == "true"
    if path.type in ("integer", "positiveInt", "unsignedInt"):
        return int(text)
    return DecimalText(text) if path.type == "decimal" else text


def _merge_root(draft: Draft, repetition: int, value: Fragment) -> None:
    """Add what a field says of several elements; the dosage of a repetition is the one other fields tell more of."""
    for dosage in value.pop(_DOSAGE, None) or ():
        key = (id(draft.root), _DOSAGE, "", repetition)
        known = draft.items.get(key)
        if known is None:
            draft.items[key] = dosage
            draft.root.setdefault(_DOSAGE, []).append(dosage)
        else:
            merge(known, dosage)
    merge(draft.root, value)


def merge(node: Fragment, value: Fragment) -> None:
    """Add a fragment: lists grow, objects merge, what is there already stays."""
    for key, new in value.items():
        if new is None:
            continue
        old = node.get(key)
        if old is None:
            node[key] = new
        elif isinstance(old, list):
            old.extend(item for item in (new if isinstance(new, list) else [new]) if item not in old)
        elif isinstance(old, dict) and isinstance(new, dict):
            merge(old, new)


def _putter(path: FhirPath, source: str) -> Callable[[Draft, int, Any], None]:
    inner, last = path.steps[:-1], path.steps[-1]

    def put(draft: Draft, repetition: int, value: Any) -> None:
        node = draft.root
        for step in inner:
            node = _enter(draft, node, step, repetition)
        if isinstance(value, list):
            for number, item in enumerate(value):
                if number and last.is_list:
                    node[last.key].append(item)
                else:
                    _place(draft, node, last, repetition, item, source)
        else:
            _place(draft, node, last, repetition, value, source)

    return put


def _enter(draft: Draft, node: Fragment, step: Step, repetition: int) -> Fragment:
    if not step.is_list:
        other = draft.items.get((id(node), step.key, _OTHER, repetition)) if repetition else None
        item: Fragment = other if other is not None else node.setdefault(step.key, {})
    else:
        key = draft.key(node, step, repetition if step.takes_repetition else 0)
        known = draft.items.get(key)
        item = known if known is not None else {}
        if known is None:
            draft.items[key] = item
            node.setdefault(step.key, []).append(item)
    if step.resource:
        item.setdefault("resourceType", step.resource)
    return item


def _place(draft: Draft, node: Fragment, step: Step, repetition: int, value: Any, source: str) -> None:
    if not isinstance(value, dict):
        if not step.is_list:
            node.setdefault(step.key, value)
        elif value not in (values := node.setdefault(step.key, [])):
            values.append(value)
        return
    if not step.is_list:
        old = node.get(step.key)
        if old is None:
            node[step.key] = value
        elif isinstance(old, dict) and old.get("resourceType") == value.get("resourceType"):
            if repetition and not can_be_one(old, value):
                draft.items[id(node), step.key, _OTHER, repetition] = value
                draft.others.append(value)
            else:
                merge(old, value)
        return
    _place_item(draft, node, step, repetition, value, source)


def _place_item(draft: Draft, node: Fragment, step: Step, repetition: int, value: Fragment, source: str) -> None:
    """A list item joins the one of its label and repetition, unless another field made that."""
    key = draft.key(node, step, repetition)
    known = draft.items.get(key)
    if known is None:
        draft.items[key] = value
        draft.origins[key] = source
        node.setdefault(step.key, []).append(value)
    elif (
        step.label
        and draft.origins.get(key, source) == source
        and known.get("resourceType") == value.get("resourceType")
    ):
        draft.origins[key] = source
        merge(known, value)
    else:
        node[step.key].append(value)
