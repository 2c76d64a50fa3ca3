"""``cloister map convert``: files of any format to FHIR bundles, without a region; nothing lost, nothing half-written.

Belongs here: finding inputs, naming outputs, bundles, the quarantine and ledger of a conversion, FHIR
versions (R5 to R4 and back), profiles, what ``--pseudonymous`` leaves out.
Does not belong here: how a message or document is read (``fhir_mapping.hl7v2``, ``fhir_mapping.cda``), a site's tables.
"""
