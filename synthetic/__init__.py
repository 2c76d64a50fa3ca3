"""The synthetic city: raw exports of hospitals that do not exist, made from a seed, with every defect counted.

Belongs here: the illnesses and how patients speak of them, the city's people and visits, each hospital's habits of
writing, the planted defects and the truth file.
Does not belong here: reading or mapping those files (``fhir_mapping``), the region's settings (``regions/demo``),
real public data (``pipelines.delivery``). Imports ``contracts`` only, so that nothing here can lean on the code it
tests.
"""
