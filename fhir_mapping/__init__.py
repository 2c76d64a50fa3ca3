"""Source records become FHIR: files as delivered -> bronze -> mapped -> silver, with a ledger that accounts for each.

Belongs here: readers of source formats (``sources/``), the manifest of delivered files and bronze, mapping specs and
their compiler (``spec/``), code maps (``terminology/``), pseudonymous ids (``identity/``), row rules (``rules/``), the
quarantine and the ledger.
Does not belong here: starting an engine or writing Delta by any other door than ``lake``; batch gates and the recount
of the ledger (quality); views and features (features); when and in which process it runs (assets, pipelines); the
hospitals' own specs, maps and settings (regions: data, not code).
"""
