"""Code maps: local texts and codes to shared codes, as reviewed CSV files, and the general maps of the project.

Belongs here: loading and checking maps, their version, ``maps/*.csv`` that hold for every hospital.
Does not belong here: a hospital's or region's own maps (``regions/``, beside its specs), lists of what FHIR requires
(``contracts.fhir.bindings``), how a map is applied to a column (``fhir_mapping.spec``).
"""
