"""Is what lies in the tables fit for use, and is every record accounted for? Judged from the tables alone.

Belongs here: Great Expectations gates on whole tables (``bronze_gate``, ``silver_gate``), their limits as data
(``limits.toml``), the reconciliation: every disposition counted again, without the code that wrote it, and the figures
of deliveries as operations messages (``delivery``, ``suspicion``).
Does not belong here: rules a single record can break (fhir_mapping.rules), writing the ledger (fhir_mapping.ledger),
when a gate runs and what it stops (assets).

Results hold counts, never a value of a record: a gate's frame is made of numbers (flags, row codes), so none can get
into Great Expectations in the first place.
"""
