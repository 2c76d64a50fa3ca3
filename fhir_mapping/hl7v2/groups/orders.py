"""Orders: ORC with what follows it, OBR, SPM, SAC, TQ1, CTI, CTD.

One ORC opens a group; an OBR (or RXA, RXO ...) without its own ORC opens one too. What the group is about decides what
its ORC becomes: a ServiceRequest (with results a DiagnosticReport besides), a MedicationRequest, an Immunization.
"""

from __future__ import annotations

from fhir_mapping.hl7v2.groups.visits import take_part
from fhir_mapping.hl7v2.message import Segment
from fhir_mapping.hl7v2.walk import Draft, Order, Walk, handles, key_of, without_number

STOP = frozenset({"ORC", "PID"})
_RESULTS = frozenset({"ORU", "OUL", "OPU", "ORF", "ORA", "MDM", "REF", "RRI", "BAR", "ADT", "CRM", "CSU"})
_DETAILS = {
    "OBR": "service",
    "RXA": "administration",
    "RXO": "medication",
    "RXE": "medication",
    "RXD": "medication",
    "RXG": "medication",
    "RQD": "supply",
    "ODS": "diet",
    "ODT": "diet",
}
_HISTORICAL = frozenset({"01", "02", "03", "04", "05", "06", "07", "08"})
"""NIP001: what is told of an immunization that was given elsewhere, and not ordered here."""
_PHARMACY = frozenset({"RDE", "RDS", "OMP", "RGV", "RDR", "RRE", "RRD", "ORP"})


def _kind_of(walk: Walk, names: list[str]) -> str:
    for name in names:
        if kind := _DETAILS.get(name):
            if kind == "administration":
                return "immunization" if walk.kind[0] in ("VXU", "VXR", "VXQ") or _has_vaccine(walk) else kind
            return kind
    return "medication" if walk.kind[0] in _PHARMACY else "service"


def _has_vaccine(walk: Walk) -> bool:
    """A code of CVX in RXA-5 says vaccine in any message."""
    return any("CVX" in segment.raw(5).split(segment.delimiters.component) for segment in walk.segments
               if segment.name == "RXA")  # fmt: skip


def _identity(walk: Walk, orc: Segment | None, detail: Segment | None) -> tuple[str, ...]:
    """Placer and filler number; without any, the texts."""
    owner = str(walk.patient.root["id"]) if walk.patient else ""
    placer = (orc.raw(2) if orc else "") or (detail.raw(2) if detail and detail.name == "OBR" else "")
    filler = (orc.raw(3) if orc else "") or (detail.raw(3) if detail and detail.name == "OBR" else "")
    if placer or filler:
        return (owner, placer, filler)
    return (owner, without_number(orc) if orc else "", without_number(detail) if detail else "")


def _is_of_request(walk: Walk, orc: Segment) -> bool:
    """Whether an ORC belongs to the OBR before it, as in OUL: that has none yet, and no other numbers."""
    current, request = walk.order, walk.context.scope.get("OBR")
    if current is None or current.orc is not None or current.report is None or request is None:
        return False
    if walk.kind[0] != "OUL" or current.observations:
        return False
    pairs = [(orc.raw(number), request.raw(number)) for number in (2, 3)]
    return all(a == b or not a or not b for a, b in pairs)


def _add_common(walk: Walk, current: Order, orc: Segment) -> None:
    """What an ORC behind its OBR says of the request and report."""
    assert current.request is not None and current.report is not None
    current.orc = orc
    walk.apply("ORC[ServiceRequest]", orc, current.request)
    walk.apply("ORC[DiagnosticReport]", orc, current.report)
    _provenance(walk, orc)


@handles("ORC")
def order(walk: Walk, segment: Segment) -> None:
    """A new order group."""
    if _is_of_request(walk, segment):
        assert walk.order is not None
        _add_common(walk, walk.order, segment)
        return
    behind = walk.following(STOP)
    walk.close_order()
    for name in _DETAILS:
        walk.context.scope.pop(name, None)
    current = Order(_kind_of(walk, [s.name for s in behind]), orc=segment)
    walk.order = current
    detail = next((s for s in behind if s.name in _DETAILS), None)
    current.key = _identity(walk, segment, detail)
    if detail is not None:
        walk.context.scope[detail.name] = detail
    if detail is None:
        open_group(walk, current, detail)
    _provenance(walk, segment)


def open_group(walk: Walk, current: Order, detail: Segment | None) -> None:
    """Make the group's main resource."""
    if current.kind == "immunization":
        text = without_number(detail) if detail else ""
        current.request = walk.draft("Immunization", *current.key, detail.raw(5) if detail else "", text=text)
    elif current.kind == "administration":
        current.request = walk.draft("MedicationAdministration", *current.key, without_number(detail) if detail else "")
    elif current.kind == "medication":
        current.request = walk.draft("MedicationRequest", *current.key)
    elif current.kind == "supply":
        current.request = walk.draft("SupplyRequest", *current.key, without_number(detail) if detail else "")
    elif current.kind == "diet":
        current.request = walk.draft("NutritionOrder", *current.key)
    else:
        code = detail.raw(4) if detail else ""
        current.request = walk.draft("ServiceRequest", *current.key, code)
    resource = current.request.root["resourceType"]
    if current.orc is not None:
        walk.apply(f"ORC[{resource}]", current.orc, current.request)
    if resource in (
        "ServiceRequest",
        "MedicationRequest",
        "MedicationAdministration",
        "Immunization",
        "NutritionOrder",
    ):
        walk.link(current.request, "context" if resource == "MedicationAdministration" else "encounter", walk.visit)
    walk.notes = walk.host = current.request


def order_of_vaccine(walk: Walk, current: Order, administered: Segment) -> None:
    """The order that led to an immunization, where there was one: it has its placer's number, or who ordered it."""
    orc = current.orc
    is_historical = administered.raw(9).split(administered.delimiters.component)[0] in _HISTORICAL
    if orc is None or not (orc.raw(2) or (orc.raw(12) and not is_historical)):
        return
    ordered = walk.draft("ServiceRequest", *current.key, administered.raw(5))
    walk.apply("ORC[ServiceRequest]", orc, ordered)
    walk.apply("RXA[ServiceRequest]", administered, ordered)
    walk.link_one(ordered, "encounter", walk.visit)


def _provenance(walk: Walk, orc: Segment) -> None:
    """Who entered, verified and ordered: only when the order names one beside the orderer."""
    if not any(orc.raw(number) for number in (10, 11, 19)):
        return
    found = walk.draft("Provenance", orc.text)
    walk.apply("ORC[Provenance]", orc, found)
    walk.order_provenance.append((found, walk.order))


def detail_of(walk: Walk, segment: Segment) -> Order:
    """The order group of a detail segment; one that already has such a segment is over."""
    current = walk.order
    kind = _kind_of(walk, [segment.name])
    if current is None or segment.name in current.seen or (current.kind != kind and current.seen):
        walk.close_order()
        current = walk.order = Order(kind)
        current.key = _identity(walk, None, segment)
        walk.context.scope.pop("ORC", None)
    current.seen.add(segment.name)
    if current.request is None:
        open_group(walk, current, segment)
    return current


@handles("OBR")
def request(walk: Walk, segment: Segment) -> None:
    """What was ordered, and in a message with results the report."""
    current = detail_of(walk, segment)
    walk.in_document = False
    if current.request is None or current.request.root["resourceType"] != "ServiceRequest":
        return
    walk.context.scope["OBR"] = segment
    walk.apply("OBR[ServiceRequest]", segment, current.request)
    # What stands behind a document's header belongs to the document.
    behind = walk.following(frozenset({"ORC", "OBR", "PID", "TXA"}))
    names = [s.name for s in behind]
    if _is_report(walk, segment, names):
        report = walk.draft("DiagnosticReport", *current.key, segment.raw(4))
        if current.orc is not None:
            walk.apply("ORC[DiagnosticReport]", current.orc, report)
        walk.apply("OBR[DiagnosticReport]", segment, report)
        walk.link(report, "encounter", walk.visit)
        walk.link(report, "basedOn", current.request)
        current.report = report
        walk.host = report
    if segment.raw(28):
        copied = walk.draft("CareTeam", *current.key, segment.raw(28))
        copied.root["status"] = "active"
        walk.apply("OBR[CareTeam]", segment, copied)
    if walk.leading_specimen is not None:
        _join_specimen(walk, current, walk.leading_specimen)
    elif "SPM" not in names and any(segment.raw(n) for n in (9, 10, 14, 15, 39)):
        specimen = walk.draft("Specimen", *current.key, segment.raw(4), "OBR")
        walk.apply("OBR[Specimen]", segment, specimen)
        _join_specimen(walk, current, specimen)
    current.specimens = names.count("SPM")
    walk.observation = None
    walk.notes = current.report or current.request


def _is_report(walk: Walk, segment: Segment, names: list[str]) -> bool:
    code = walk.kind[0]
    if code in ("ORU", "OUL", "OPU", "ORF", "ORA"):
        return True
    has_results = bool(segment.raw(22) or segment.raw(25))
    return has_results or (code in _RESULTS and "OBX" in names)


def _join_specimen(walk: Walk, current: Order, specimen: Draft) -> None:
    if current.report is not None:
        walk.link(current.report, "specimen", specimen)
    if current.request is not None and current.request.root["resourceType"] == "ServiceRequest":
        walk.link(current.request, "specimen", specimen)
    current.specimen = specimen


def _leads(walk: Walk) -> bool:
    """Whether the message is ordered by specimen (OUL_R22, OML_O33): the first one stands before any order."""
    first = next((s.name for s in walk.segments if s.name in ("ORC", "OBR", "SPM")), "")
    return first == "SPM"


@handles("SPM")
def specimen(walk: Walk, segment: Segment) -> None:
    """A specimen of the order; results before it belong to it when it is the only one."""
    if leads := _leads(walk):
        walk.close_order()
    owner = str(walk.patient.root["id"]) if walk.patient else ""
    found = walk.draft("Specimen", owner, segment.raw(2) or without_number(segment), segment.raw(4),
                       text=without_number(segment))  # fmt: skip
    walk.apply("SPM[Specimen]", segment, found)
    current = walk.order
    request = walk.context.scope.get("OBR")
    if current is not None and request is not None:
        walk.apply("OBR[Specimen-Collector]", request, found)
        if not any(s.name == "SAC" and s.raw(2) for s in walk.following(frozenset({"SPM", "ORC", "OBR", "PID"}))):
            walk.apply("OBR[Specimen-Accession]", request, found)
    if current is not None:
        _join_specimen(walk, current, found)
        if current.specimens == 1:
            for observation in current.observations:
                walk.link_one(observation, "specimen", found)
    walk.specimen = walk.notes = walk.host = found
    walk.leading_specimen = found if leads else None
    # In OUL_R24 the results come behind the specimen.
    walk.after_specimen = walk.kind != ("OUL", "R24")


@handles("SAC")
def container(walk: Walk, segment: Segment) -> None:
    """The container of the specimen before it."""
    if walk.specimen is None:
        walk.specimen = walk.draft("Specimen", without_number(segment))
    walk.apply("SAC[Specimen]", segment, walk.specimen)


@handles("TQ1")
def timing(walk: Walk, segment: Segment) -> None:
    """Timing of the order, or of the appointment."""
    host = walk.appointment
    if walk.order is not None:
        if walk.order.request is None:
            behind = walk.following(STOP)
            open_group(walk, walk.order, next((s for s in behind if s.name in _DETAILS), None))
        host = walk.order.request
    if host is None:
        return
    if host is walk.appointment and segment.raw(7):
        # TQ1 takes the place of SCH-11.
        for element in ("start", "end"):
            host.root.pop(element, None)
    walk.apply(f"TQ1[{host.root['resourceType']}]", segment, host)


@handles("CTI")
def trial(walk: Walk, segment: Segment) -> None:
    """The study an order or result belongs to."""
    walk.apply("CTI[ResearchStudy]", segment, walk.draft("ResearchStudy", key_of(segment, 1, 2)))


@handles("CTD")
def contact(walk: Walk, segment: Segment) -> None:
    """A contact for the order or report at hand."""
    take_part(walk, segment, "CTD[PractitionerRole]", None)
