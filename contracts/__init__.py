"""The vocabulary every zone shares: errors, names, messages, settings of a region, feature specs, FHIR element tables.

Belongs here: frozen types and pure functions over them that both sides of a trust boundary need. Light: standard
library, pydantic and NumPy only.
Does not belong here: anything that opens a table, a socket or a key (lake, federated, governance), any policy
(governance), anything that knows Dagster, Flower, TenSEAL or Spark.
"""
