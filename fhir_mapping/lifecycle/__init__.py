"""What happens to records after they were mapped: replay of the quarantine, erasure, key rotation.

Belongs here: commands on a site's own tables that keep the ledger true.
Does not belong here: the first mapping of a record (``fhir_mapping.mapping``, ``fhir_mapping.silver``).
"""
