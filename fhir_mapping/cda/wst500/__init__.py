"""China's shared documents (WS/T 500-2016) to FHIR: facts are found by section and data-element code (DExx.xx.xxx.xx).

Belongs here: what the data elements mean, how flat siblings are paired, the Chinese header.
Does not belong here: datatypes, narrative, the Composition (``fhir_mapping.cda``), C-CDA templates (``entries``).
"""
