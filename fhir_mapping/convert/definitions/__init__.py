"""FHIR's own definitions as tables, and the reader of them: every type of R4 and R5, codes, invariants.

Belongs here: the tables (``r4/``, ``r5/``), how they were made (``generate``), their reading.
Does not belong here: what silver holds of FHIR (``contracts.fhir``), what is done about a fault
(``fhir_mapping.convert``).
"""
