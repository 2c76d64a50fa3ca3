"""Profiles of HL7 China as data, what ``--profile cn`` adds to meet them, and when a resource may claim one.

Belongs here: the profiles' canonicals and mandatory elements (``china.toml``), how a Patient is brought to them, the
check before a claim. Hand-written: no package of these guides can be fetched.
Does not belong here: FHIR's own rules (``fhir_mapping.convert.check``), code maps (``fhir_mapping.terminology``).
"""
