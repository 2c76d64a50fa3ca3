"""Medicines, vaccines, supplies and diets: RXO, RXE, RXG, RXD, RXR, RXC, RXA, RQD, RQ1, ODS."""

from __future__ import annotations

from fhir_mapping.hl7v2.groups.orders import STOP, detail_of, order_of_vaccine
from fhir_mapping.hl7v2.message import Segment
from fhir_mapping.hl7v2.walk import Walk, handles, without_number


@handles("RXO")
def pharmacy_order(walk: Walk, segment: Segment) -> None:
    """The medicine as it was prescribed."""
    current = detail_of(walk, segment)
    if current.request is None or current.request.root["resourceType"] != "MedicationRequest":
        return
    encoded = "RXE" in [s.name for s in walk.following(STOP)]
    target = current.request
    if encoded:
        # The prescription as written and as the pharmacy encoded it are two requests, one based on the other.
        target = walk.draft("MedicationRequest", *current.key, "RXO", segment.raw(1))
        target.root.update(intent="original-order", status=current.request.root.get("status", "active"))
        walk.link(target, "encounter", walk.visit)
        walk.link(current.request, "basedOn", target)
    walk.apply("RXO[MedicationRequest]", segment, target)
    walk.medication = target
    walk.notes = walk.host = target


@handles("RXE")
def encoded_order(walk: Walk, segment: Segment) -> None:
    """The medicine as the pharmacy encoded the order."""
    current = detail_of(walk, segment)
    if current.request is None or current.request.root["resourceType"] != "MedicationRequest":
        return
    walk.apply("RXE[MedicationRequest]", segment, current.request)
    walk.medication = walk.notes = walk.host = current.request


@handles("RXG")
def give(walk: Walk, segment: Segment) -> None:
    """A dose that is to be given: an instance of the order."""
    current = detail_of(walk, segment)
    if current.request is None or current.request.root["resourceType"] != "MedicationRequest":
        return
    current.request.root["intent"] = "instance-order"
    walk.apply("RXG[MedicationRequest]", segment, current.request)
    walk.medication = walk.notes = walk.host = current.request


@handles("RXD")
def dispense(walk: Walk, segment: Segment) -> None:
    """What was handed over."""
    current = detail_of(walk, segment)
    found = walk.draft("MedicationDispense", *current.key, segment.raw(7), text=without_number(segment))
    found.root["status"] = "completed"
    if current.orc is not None:
        walk.apply("ORC[MedicationDispense]", current.orc, found)
    walk.apply("RXD[MedicationDispense]", segment, found)
    if current.request is not None and len(current.seen) > 1:
        found.root["authorizingPrescription"] = [walk.reference(current.request)]
    elif current.request is not None:
        walk.forget(current.request)
        current.request = None
    walk.medication = walk.notes = walk.host = found


@handles("RXR")
def route(walk: Walk, segment: Segment) -> None:
    """Route and site of the medicine or vaccine before it."""
    host = walk.medication
    if walk.order is not None and walk.order.kind in ("immunization", "administration"):
        host = walk.order.request
    if host is not None:
        walk.apply(f"RXR[{host.root['resourceType']}]", segment, host)


@handles("RXC")
def component(walk: Walk, segment: Segment) -> None:
    """An ingredient: a Medication of its own that the mixture names."""
    if walk.medication is None:
        return
    found = walk.draft("Medication", str(walk.medication.root["id"]), without_number(segment))
    walk.apply("RXC[Medication]", segment, found)
    mixture = walk.medication.root.get("medicationReference")
    if isinstance(mixture, dict) and mixture.get("resourceType") == "Medication":
        item = {"itemReference": walk.reference(found), "isActive": segment.raw(1)[:1] == "A"}
        mixture.setdefault("ingredient", []).append(item)


@handles("RXA")
def administration(walk: Walk, segment: Segment) -> None:
    """A dose given: a vaccine's is an Immunization."""
    current = detail_of(walk, segment)
    assert current.request is not None
    walk.context.scope["RXA"] = segment
    walk.apply(f"RXA[{current.request.root['resourceType']}]", segment, current.request)
    if current.kind == "immunization":
        order_of_vaccine(walk, current, segment)
    walk.notes = walk.host = current.request
    walk.medication = current.request
    walk.observation = None


@handles("RQD")
def supply(walk: Walk, segment: Segment) -> None:
    """Supplies asked for."""
    current = detail_of(walk, segment)
    if current.request is not None and current.request.root["resourceType"] == "SupplyRequest":
        walk.apply("RQD[SupplyRequest]", segment, current.request)


@handles("RQ1")
def supplier(walk: Walk, segment: Segment) -> None:
    """Who makes and sells the supplies."""
    if walk.order is not None and walk.order.request is not None and walk.order.kind == "supply":
        walk.apply("RQ1[SupplyRequest]", segment, walk.order.request)


@handles("ODS")
def diet(walk: Walk, segment: Segment) -> None:
    """A diet ordered."""
    current = detail_of(walk, segment)
    if current.request is not None and current.request.root["resourceType"] == "NutritionOrder":
        walk.apply("ODS[NutritionOrder]", segment, current.request)
