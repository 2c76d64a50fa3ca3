"""Mapping specs: reading them, checking them against FHIR's element tables, compiling them to DataFrame columns.

Belongs here: the spec format (docs/reference/mapping-spec.md), its checks, and the native columns of each expression.
Does not belong here: code maps (fhir_mapping.terminology), ids and keys (fhir_mapping.identity), rules on records
(fhir_mapping.rules), reading sources (fhir_mapping.sources), writing tables (fhir_mapping.mapping and its siblings).
"""
