"""HL7 v2 as Chinese vendors send it: a day's feed of one hospital, and the truth about what it says.

Deviations from the standard, each as such systems show it
    * GB18030 without MSH-18, or MSH-18 naming it, or naming UTF-8 where the bytes are GB18030;
    * LF or CR LF between segments instead of CR; MLLP frames, or messages one behind the other;
    * the whole name in PID-5.1, no given name; the 18-digit ID-card number in PID-19, or in a repetition of PID-3;
    * sex as 1 and 2 (GB/T 2261.1) or as 男 and 女; departments and laboratory items by local codes and Chinese names;
    * NM results that are no numbers (``<0.5``, ``阴性``); results of a urine test as text; ↑ and ↓ as flags;
    * Z segments, with fees and insurance; characters whose second GBK byte is a delimiter (億, 僞, 乗);
    * messages sent twice, late and out of order; cancels (A11, A13) and corrected results (C, D).

Everyone and everything in it is made up; ID-card numbers carry an area code that is given to no place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random

from synthetic.people import Person, make_person

_ITEMS = (
    ("GLU", "葡萄糖", "mmol/L", 3.9, 6.1),
    ("CREA", "肌酐", "μmol/L", 57.0, 97.0),
    ("K", "钾", "mmol/L", 3.5, 5.3),
    ("WBC", "白细胞", "10^9/L", 3.5, 9.5),
    ("CRP", "C反应蛋白", "mg/L", 0.0, 10.0),
)
_DEPARTMENTS = (("0301", "呼吸内科"), ("0302", "消化内科"), ("0401", "普通外科"), ("0799", "儿科億"))
_TODAY = date(2024, 3, 1)


@dataclass(frozen=True)
class Vendor:
    """How one system writes.

    Attributes:
        charset: MSH-18, empty for none; the bytes are GB18030 whatever it says, unless ``codec`` differs.
        line_end: between segments.
        is_framed: MLLP frames around each message.
        sexes: for male and female.
        id_card_in_pid3: the ID-card number is a repetition of PID-3 instead of PID-19.
    """

    name: str
    charset: str = ""
    codec: str = "gb18030"
    line_end: str = "\r"
    is_framed: bool = False
    sexes: tuple[str, str] = ("1", "2")
    id_card_in_pid3: bool = False


VENDORS = (
    Vendor("A", line_end="\r"),
    Vendor("B", charset="GB 18030-2000", line_end="\r\n", sexes=("男", "女")),
    Vendor("C", charset="UNICODE UTF-8", line_end="\n", is_framed=True, sexes=("M", "F"), id_card_in_pid3=True),
    Vendor("D", charset="UNICODE UTF-8", codec="utf-8", is_framed=True),
)


@dataclass(frozen=True)
class Message:
    """One message of the feed.

    Attributes:
        sent: MSH-7; the feed is in the order of arrival, which may be another.
        text: with the vendor's line ends, without frame.
    """

    kind: str
    sent: datetime
    text: str


@dataclass
class Truth:
    """What a day's feed says in the end.

    Attributes:
        visits: status of each visit (FHIR's words) by visit number.
        results: what stands for each result, by report number and item: status letter and value as written.
        messages: how many there are, those sent twice included.
    """

    patients: set[str] = field(default_factory=set)
    visits: dict[str, str] = field(default_factory=dict)
    results: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    messages: int = 0


@dataclass(frozen=True)
class Feed:
    """A day's messages of one vendor in the order they arrive, and the truth about them."""

    vendor: Vendor
    adt: tuple[Message, ...]
    oru: tuple[Message, ...]
    truth: Truth

    def data(self, messages: Sequence[Message]) -> bytes:
        """Messages as one file."""
        return b"".join(framed(self.vendor, message) for message in messages)


def make_feed(seed: int, vendor: Vendor, patients: int = 20) -> Feed:
    """A feed of some patients, each with one visit and one report; the same for the same seed."""
    rng = Random(seed)
    truth = Truth()
    adt: list[Message] = []
    oru: list[Message] = []
    for number in range(patients):
        person = make_person(number, rng.random() < 0.5, rng.randrange(1, 90), _TODAY, rng)
        patient_no, visit_no = f"P{vendor.name}{number:05d}", f"V{vendor.name}{number:05d}"
        truth.patients.add(patient_no)
        start = datetime(2024, 3, 1, 7) + timedelta(minutes=number)
        stay = _Stay(vendor, person, patient_no, visit_no, rng.choice(_DEPARTMENTS), start)
        events, status = _course(rng)
        truth.visits[visit_no] = status
        adt += [stay.adt(event, start + timedelta(hours=2 * place)) for place, event in enumerate(events)]
        oru += _report(stay, f"R{vendor.name}{number:05d}", rng, truth)
    adt, oru = _disturbed(adt, rng), _disturbed(oru, rng)
    truth.messages = len(adt) + len(oru)
    return Feed(vendor, tuple(adt), tuple(oru), truth)


def framed(vendor: Vendor, message: Message) -> bytes:
    """A message as the vendor sends it: its bytes, framed or with a line end behind."""
    data = message.text.encode(vendor.codec)
    return b"\x0b" + data + b"\x1c\r" if vendor.is_framed else data + vendor.line_end.encode()


def _course(rng: Random) -> tuple[tuple[str, ...], str]:
    """The events of a visit in their own order, and what it is in the end."""
    return rng.choice(
        [
            (("A01",), "in-progress"),
            (("A01", "A08"), "in-progress"),
            (("A01", "A02", "A03"), "finished"),
            (("A01", "A03", "A13"), "in-progress"),
            (("A01", "A11"), "cancelled"),
            (("A04", "A03"), "finished"),
        ]
    )


def _disturbed(messages: list[Message], rng: Random) -> list[Message]:
    """As they arrive: some late, some twice."""
    arrived = sorted(messages, key=lambda message: message.sent + timedelta(hours=rng.choice((0, 0, 0, 9))))
    twice = [message for message in arrived if rng.random() < 0.1]
    return [*arrived, *twice]


@dataclass(frozen=True)
class _Stay:
    """One visit of one patient, as every message of it opens."""

    vendor: Vendor
    person: Person
    patient_no: str
    visit_no: str
    department: tuple[str, str]
    admitted: datetime

    def message(self, kind: str, sent: datetime, number: str, segments: Sequence[str]) -> Message:
        structure = kind.replace("^", "_")
        head = [
            "MSH",
            "^~\\&",
            "HIS",
            "医院",
            "集成平台",
            "",
            _time(sent),
            "",
            f"{kind}^{structure}",
            number,
            "P",
            "2.4",
        ]
        head += ["", "", "", "", "CHN", self.vendor.charset]
        lines = ["|".join(head).rstrip("|"), *segments]
        return Message(kind, sent, self.vendor.line_end.join(lines) + self.vendor.line_end)

    def adt(self, event: str, sent: datetime) -> Message:
        left = _time(sent) if event == "A03" else ""
        segments = [
            f"EVN|{event}|{_time(sent)}",
            self.pid(),
            self.pv1(left),
            f"ZPV|1|医保^{self.person.number}|自付|0.00",
        ]
        return self.message(f"ADT^{event}", sent, f"{self.visit_no}{event}", segments)

    def pid(self) -> str:
        person, vendor = self.person, self.vendor
        number = f"{self.patient_no}^^^HIS^MR"
        if vendor.id_card_in_pid3:
            number += f"~{person.id_card}^^^PSN^PI"
        sex = vendor.sexes[person.female]
        fields = ["PID", "1", "", number, "", person.name, "", f"{person.birth:%Y%m%d}", sex, "", "", person.address]
        fields += ["", person.phone, "", "", "20", "", "", "" if vendor.id_card_in_pid3 else person.id_card]
        return "|".join(fields).rstrip("|")

    def pv1(self, left: str) -> str:
        code, name = self.department
        fields = ["PV1", "1", "I", f"{name}^{code}^12", *[""] * 6, name, *[""] * 8, self.visit_no, *[""] * 24]
        return "|".join([*fields, _time(self.admitted), left]).rstrip("|")


def _report(stay: _Stay, report_no: str, rng: Random, truth: Truth) -> list[Message]:
    """The messages of a report: preliminary or final, and maybe corrected or one item withdrawn."""
    sent = stay.admitted + timedelta(hours=1)
    values = {item[0]: _value(item, rng) for item in _ITEMS}
    steps: list[tuple[str, dict[str, str], dict[str, str]]]
    steps = [("F", values, {})] if rng.random() < 0.5 else [("P", values, {}), ("F", values, {})]
    if rng.random() < 0.4:
        changed = {**values, "GLU": f"{rng.uniform(4, 12):.2f}"}
        steps.append(("F", changed, {"GLU": "C"}))
    if rng.random() < 0.2:
        steps.append(("F", steps[-1][1], {**steps[-1][2], "CRP": "D"}))
    messages = []
    for place, (status, now, changes) in enumerate(steps):
        at = sent + timedelta(hours=place)
        messages.append(_oru(stay, report_no, at, status, now, changes))
        for code, *_ in _ITEMS:
            truth.results[(report_no, code)] = (changes.get(code, status), now[code])
    return messages


def _value(item: tuple[str, str, str, float, float], rng: Random) -> str:
    code, _, _, low, high = item
    if code == "CRP" and rng.random() < 0.3:
        return rng.choice(("<0.5", "阴性"))
    return f"{rng.uniform(0.7 * low, 1.3 * high):.2f}"


def _oru(
    stay: _Stay, report_no: str, sent: datetime, status: str, values: dict[str, str], changes: dict[str, str]
) -> Message:
    obr = ["OBR", "1", f"O{report_no}", report_no, "BIO^生化全套^LOCAL", "", "", _time(stay.admitted)]
    obr += [*[""] * 14, _time(sent), "", "CH", status]
    segments = [stay.pid(), stay.pv1(""), f"ORC|RE|O{report_no}|{report_no}", "|".join(obr)]
    for number, (code, name, unit, low, high) in enumerate(_ITEMS, start=1):
        value = values[code]
        flag = _flag(value, low, high)
        fields = ["OBX", str(number), "NM", f"{code}^{name}^LOCAL", "", value, unit, f"{low}-{high}", flag]
        segments.append("|".join([*fields, "", "", changes.get(code, status), "", "", _time(stay.admitted)]))
    segments.append("NTE|1||送检标本：僞影不明显，乗以稀释倍数")
    segments.append(f"ZLB|1|检验科|{stay.person.number}")
    return stay.message("ORU^R01", sent, f"{report_no}{_time(sent)}", segments)


def _flag(value: str, low: float, high: float) -> str:
    try:
        number = float(value)
    except ValueError:
        return ""
    return "↑" if number > high else "↓" if number < low else ""


def _time(moment: datetime) -> str:
    return f"{moment:%Y%m%d%H%M%S}"
