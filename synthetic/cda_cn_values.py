"""Small value tables of the Chinese shared documents: illnesses, drugs, tests of invented people; no public table."""

from __future__ import annotations

from typing import NamedTuple


class Illness(NamedTuple):
    """A diagnosis: ICD-10 code in its Chinese shape, and name."""

    code: str
    name: str


class Drug(NamedTuple):
    """A drug line: name, strength, dose and its unit, route code and name, frequency, total and its unit."""

    name: str
    strength: str
    dose: str
    unit: str
    route: tuple[str, str]
    frequency: tuple[str, str]
    total: str
    pack: str


class Test(NamedTuple):
    """A laboratory item: name, result text, unit, specimen."""

    name: str
    low: float
    high: float
    places: int
    unit: str


ILLNESSES = (
    Illness("I10.x00x002", "高血压病2级"),
    Illness("H81.400x003", "中枢性眩晕"),
    Illness("E11.900", "2型糖尿病"),
    Illness("J18.900", "肺炎"),
    Illness("K29.500", "慢性胃炎"),
    Illness("I63.900", "脑梗死"),
    Illness("J06.900", "急性上呼吸道感染"),
    Illness("N20.000", "肾结石"),
)
TCM_ILLNESSES = (("BNG080", "眩晕病"), ("BNF050", "咳嗽病"))
TCM_SYNDROMES = (("ZYVX30", "肝阳上亢证"), ("ZBFF00", "风寒袭肺证"))
DRUGS = (
    Drug("苯磺酸氨氯地平片", "5mg×7片/盒", "5", "mg", ("1", "口服"), ("01", "qd"), "2", "盒"),
    Drug("盐酸二甲双胍片", "0.25g×48片/瓶", "0.5", "g", ("1", "口服"), ("03", "tid"), "1", "瓶"),
    Drug("阿莫西林胶囊", "0.25g×24粒/盒", "0.50", "g", ("1", "口服"), ("03", "tid"), "3", "盒"),
)
TESTS = (
    Test("白细胞计数", 3.5, 12.0, 2, "10^9/L"),
    Test("血红蛋白", 90, 165, 0, "g/L"),
    Test("葡萄糖", 3.9, 11.0, 2, "mmol/L"),
    Test("肌酐", 40, 140, 1, "μmol/L"),
    Test("C反应蛋白", 0.5, 60, 2, "mg/L"),
)
OPERATIONS = (("47.0100", "腹腔镜阑尾切除术"), ("51.2300", "腹腔镜下胆囊切除术"), ("45.2302", "电子结肠镜检查"))
COMPLAINTS = ("反复头晕3天", "咳嗽伴发热2天", "上腹部隐痛1周")
HISTORIES = ("患者3天前无明显诱因出现上述症状", "患者自诉起病后精神可，饮食一般")
ALLERGIES = ("青霉素", "磺胺类药物")
FINDINGS = ("双肺纹理增粗，心影大小形态正常", "肝脏形态正常，实质回声均匀")
IMPRESSIONS = ("支气管炎改变", "未见明显异常")
DOCTORS = ("周文", "郑丽", "吴涛")
HOSPITAL = ("99010100-1", "滨河市第一人民医院")
DEPARTMENTS = (("03", "内科"), ("04", "外科"))
