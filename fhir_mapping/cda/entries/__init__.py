"""Entries of C-CDA sections to FHIR, one module a clinical family; ``tables/templates.csv`` says which handles what.

Belongs here: acts, observations, medications, procedures, encounters, organizers and supplies by their templates.
Does not belong here: the document's header and sections (``fhir_mapping.cda``), the Chinese data elements
(``fhir_mapping.cda.wst500``).
"""
