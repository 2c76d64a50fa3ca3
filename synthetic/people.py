"""The city's inhabitants: names, ID-card numbers, telephones and addresses that belong to nobody.

ID-card numbers carry a right check digit (GB 11643-1999) and the area code 990101, which is given to no place, so that
no number here can be a real person's. Telephones start with 100, which no operator hands out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

AREA = "990101"
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建文辉龙燕波"
_STREETS = ("望江路", "建设大街", "滨河东路", "青年路", "解放西路", "学府街", "梧桐巷", "新华南路")


@dataclass(frozen=True)
class Person:
    """One inhabitant. ``number`` counts from 0 within a hospital; ``female`` as recorded at birth."""

    number: int
    name: str
    female: bool
    birth: date
    id_card: str
    phone: str
    address: str

    def age(self, on: date) -> int:
        """Whole years on a day."""
        return on.year - self.birth.year - ((on.month, on.day) < (self.birth.month, self.birth.day))


def check_digit(first17: str) -> str:
    """The 18th character of an ID-card number (GB 11643-1999, ISO 7064 MOD 11-2)."""
    return _CHECK[sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True)) % 11]


def wrong_check_digit(id_card: str) -> str:
    """The same number with another last character, so that its check fails."""
    return id_card[:-1] + _CHECK[(_CHECK.index(id_card[-1]) + 1) % 11]


def make_person(number: int, female: bool, age: int, today: date, rng: Random) -> Person:
    """An inhabitant of the given age in whole years on ``today``."""
    birth = date(today.year - age, 1, 1) - timedelta(days=rng.randrange(1, 60)) if age else today - timedelta(days=200)
    sequence = rng.randrange(100, 999) // 2 * 2 + (0 if female else 1)
    first17 = f"{AREA}{birth:%Y%m%d}{sequence % 1000:03d}"
    name = rng.choice(_SURNAMES) + "".join(rng.choice(_GIVEN) for _ in range(rng.choice((1, 2, 2))))
    return Person(
        number=number,
        name=name,
        female=female,
        birth=birth,
        id_card=first17 + check_digit(first17),
        phone=f"100{rng.randrange(10**8):08d}",
        address=f"{rng.choice(_STREETS)}{rng.randrange(1, 400)}号{rng.randrange(1, 30)}栋{rng.randrange(101, 2500)}室",
    )
