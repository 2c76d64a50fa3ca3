"""A site's term as integers, the integers as slots, and opened slots as numbers again.

A value x of a block with bound b and resolution q becomes the integer round(x / q), clipped to ceil(b / q) in size.
Where the sum of n sites would not fit half the plain modulus the integer is split into limbs in base 2^w:
digits 0 .. 2^w - 1, the top one signed. Where several of its values fit together, a block that would fill a ciphertext
has them share slots: v_0 + v_1 2^p + ..., with p bits for the sum of one value over n sites, sign included; a total is
the sum of such integers, and its values are read off it as balanced digits. Slot order: block by block, lowest limb of
all elements first; the last slot of a sum counts the site's clipped values. Opened limbs are normalised (carried)
before they are released, so that a total shows the sum of the integers and nothing of how its digits came about.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from contracts.errors import RangeError, RefusedError
from contracts.messages import RefusalCode
from contracts.sums import Block, Layout
from secure_compute.modular import HALF, Integers, Residues, to_residues

VALUE_SLOTS = 4095
"""Value slots of a ciphertext; the last of its 4096 slots holds the tag."""

SHARED_FROM = VALUE_SLOTS
"""Values of a block from which on they share slots where they can; below it would save no ciphertext by itself."""

MAX_LIMBS = 4
CLIPPED = "clipped_values"
"""Name under which ``decode`` gives the number of values that sites clipped in this sum (shape ())."""


@dataclass(frozen=True)
class BlockCode:
    """How one block stands in the slots: ``limbs`` runs of slots from ``start``.

    Attributes:
        units: largest integer in size that one site sends for an element.
        limbs: slots that an element takes, when it has slots of its own.
        shared: elements that share a slot; 1 where there are several limbs.
        bits: of each element's share of a slot.
    """

    block: Block
    units: int
    limbs: int
    start: int
    shared: int = 1
    bits: int = 0

    @property
    def stop(self) -> int:
        return self.start + self.limbs * -(-self.block.size // self.shared)


@dataclass(frozen=True)
class Plan:
    """How a layout stands in the slots when up to ``sites`` sites add up.

    Attributes:
        width: bits of a digit below the top one.
        slots: value slots, the clipped-count slot included.
        chunks: ciphertexts.
    """

    layout: Layout
    sites: int
    width: int
    codes: tuple[BlockCode, ...]
    slots: int
    chunks: int


def make_plan(layout: Layout, sites: int) -> Plan:
    """The slots of a sum over at most ``sites`` sites, with as few limbs a block as are exact.

    Raises:
        RangeError: a block cannot be summed exactly, or asks for a release rule that makes no sense.
    """
    if sites < 1:
        raise RangeError("a sum needs at least one site")
    names = [block.name for block in layout]
    if not layout or len(set(names)) != len(names) or CLIPPED in names:
        raise RangeError(f"blocks need names of their own, other than '{CLIPPED}'; found {names}")
    width = (HALF // sites).bit_length() - 1
    codes: list[BlockCode] = []
    start = 0
    for block in layout:
        code = _code(block, sites, width, start)
        codes.append(code)
        start = code.stop
    if sum(block.size for block in layout) * sites > HALF:
        raise RangeError("more values than a slot can count when all are clipped")
    slots = start + 1
    return Plan(layout, sites, width, tuple(codes), slots, -(-slots // VALUE_SLOTS))


def check_range(layout: Layout, max_sites: int) -> None:
    """Raise RangeError unless a sum of this layout over ``max_sites`` sites is exact (SECURE_SUM rule 12)."""
    make_plan(layout, max_sites)


def _code(block: Block, sites: int, width: int, start: int) -> BlockCode:
    quotient = block.bound / block.resolution if block.resolution > 0 else math.nan
    if not (math.isfinite(quotient) and quotient >= 1.0):
        raise RangeError(
            f"block '{block.name}': bound {block.bound}, resolution {block.resolution}: need 0 < resolution <= bound"
        )
    units = math.ceil(quotient)
    for limbs in range(1, MAX_LIMBS + 1):
        if sites * -(-units >> (width * (limbs - 1))) <= HALF:
            break
    else:
        raise RangeError(
            f"block '{block.name}': {sites} sites x bound / resolution = {sites * units:.3g} does not fit {MAX_LIMBS} "
            "limbs: choose a coarser resolution or a smaller bound"
        )
    if block.at_least is not None and (block.resolution != 1.0 or limbs > 1):
        raise RangeError(f"block '{block.name}': at_least is for counts: resolution 1, one limb")
    if limbs > 1 or block.at_least is not None or block.size < SHARED_FROM:
        return BlockCode(block, units, limbs, start)
    bits = (2 * sites * units).bit_length()
    shared = 1
    while sites * units * ((1 << bits * (shared + 1)) - 1) // ((1 << bits) - 1) <= HALF:
        shared += 1
    return BlockCode(block, units, limbs, start, shared, bits)


def encode(plan: Plan, term: Mapping[str, np.ndarray]) -> tuple[Residues, int]:
    """A site's term as residues.

    Args:
        term: one array a block, of the block's shape.

    Returns:
        Residues of shape (chunks, 4095), zero where a chunk is not full, and the number of clipped values.

    Raises:
        RefusedError: bad_term: blocks are missing, of another shape, or not numbers.
    """
    if set(term) != {code.block.name for code in plan.codes}:
        raise RefusedError(RefusalCode.BAD_TERM, f"term has blocks {sorted(term)}, not those of its layout")
    slots = np.zeros(plan.chunks * VALUE_SLOTS, np.uint64)
    clipped = 0
    for code in plan.codes:
        values, count = _to_units(code, np.asarray(term[code.block.name], np.float64))
        clipped += count
        _write_digits(slots, code, plan.width, values)
    slots[plan.slots - 1] = clipped
    return slots.reshape(plan.chunks, VALUE_SLOTS), clipped


def _to_units(code: BlockCode, values: np.ndarray) -> tuple[np.ndarray, int]:
    """Whole numbers (float64, exact) of a block, and how many were clipped."""
    if values.shape != code.block.shape:
        raise RefusedError(
            RefusalCode.BAD_TERM, f"block '{code.block.name}' has shape {values.shape}, expected {code.block.shape}"
        )
    units = np.rint(values.ravel() / code.block.resolution)
    if np.isnan(units).any():
        raise RefusedError(RefusalCode.BAD_TERM, f"block '{code.block.name}' holds values that are not numbers")
    limit = float(code.units)
    clipped = int(np.count_nonzero(np.abs(units) > limit))
    return (np.clip(units, -limit, limit) if clipped else units), clipped


def _write_digits(slots: Residues, code: BlockCode, width: int, units: np.ndarray) -> None:
    # Dividing by a power of two and taking the rest are exact in float64, so digits are too.
    size = code.block.size
    if code.shared > 1:
        slots[code.start : code.stop] = to_residues(_share_slots(code, units.astype(np.int64)))
        return
    for limb in range(code.limbs - 1, -1, -1):
        digit = np.floor(units / 2.0 ** (width * limb))
        units = units - digit * 2.0 ** (width * limb)
        at = code.start + limb * size
        slots[at : at + size] = to_residues(digit.astype(np.int64))


def _share_slots(code: BlockCode, units: Integers) -> Integers:
    """Elements (size,) as what stands in their slots, the last one filled with zeros."""
    filled = np.zeros((code.stop - code.start) * code.shared, np.int64)
    filled[: units.size] = units
    places = filled.reshape(-1, code.shared)
    return np.asarray((places << (code.bits * np.arange(code.shared))).sum(axis=1), np.int64)


def _part_slots(code: BlockCode, slots: Integers) -> Integers:
    """The elements (size,) of opened slots: balanced digits in base 2^bits."""
    half = np.int64(1 << (code.bits - 1))
    places = np.empty((slots.size, code.shared), np.int64)
    rest = slots
    for place in range(code.shared):
        places[:, place] = ((rest + half) & (2 * half - 1)) - half
        rest = (rest - places[:, place]) >> code.bits
    return places.ravel()[: code.block.size]


def normalise(plan: Plan, opened: Integers) -> Integers:
    """Carry the opened digit sums (slots,) into canonical digits of the totals."""
    slots = opened.copy()
    for code in plan.codes:
        size = code.block.size
        for limb in range(code.limbs - 1):
            at = code.start + limb * size
            carry = slots[at : at + size] >> plan.width
            slots[at : at + size] -= carry << plan.width
            slots[at + size : at + 2 * size] += carry
    return slots


def release(plan: Plan, totals: Integers) -> Integers:
    """What may leave the authority: counts under ``at_least`` become 1 (reached) or 0 (SECURE_SUM rule 14)."""
    slots = totals.copy()
    for code in plan.codes:
        if code.block.at_least is not None:
            reached = slots[code.start : code.stop] >= code.block.at_least
            slots[code.start : code.stop] = reached
    return slots


def exact_totals(plan: Plan, totals: Integers) -> dict[str, np.ndarray]:
    """Normalised totals as Python ints: one object array a block, of its shape, in units of its resolution."""
    exact = {}
    for code in plan.codes:
        if code.shared > 1:
            parted = _part_slots(code, totals[code.start : code.stop])
            exact[code.block.name] = parted.reshape(code.block.shape).astype(object)
            continue
        digits = totals[code.start : code.stop].reshape(code.limbs, *code.block.shape).astype(object)
        exact[code.block.name] = sum(digits[limb] * (1 << (plan.width * limb)) for limb in range(code.limbs))
    return exact


def decode(plan: Plan, totals: Integers) -> dict[str, np.ndarray]:
    """Normalised totals as float64 arrays, one a block, and the clipped count; the same bits on every machine.

    A total is rounded to float64 once, then multiplied by the resolution.
    """
    decoded: dict[str, np.ndarray] = {}
    for code in plan.codes:
        if code.shared > 1:
            parted = _part_slots(code, totals[code.start : code.stop])
            decoded[code.block.name] = parted.reshape(code.block.shape) * np.float64(code.block.resolution)
            continue
        digits = totals[code.start : code.stop].reshape(code.limbs, *code.block.shape)
        if code.limbs <= 2:
            # Each digit is below 2^53 and scaled by a power of two: one addition, one rounding.
            units = sum(digits[limb] * 2.0 ** (plan.width * limb) for limb in range(code.limbs))
        else:
            units = exact_totals(plan, totals)[code.block.name].astype(np.float64)
        decoded[code.block.name] = np.asarray(units * code.block.resolution, np.float64)
    decoded[CLIPPED] = np.asarray(float(totals[plan.slots - 1]))
    return decoded
