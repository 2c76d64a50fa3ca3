"""From FHIR silver to the numbers a task learns from, inside one hospital: views, then features, as DataFrame columns.

Belongs here: SQL on FHIR views compiled over silver's typed structs, and the feature tables built from them.
Does not belong here: the same rules in plain Python for scoring (registry), standardising and encoding (they need sums
over all hospitals: contracts.encoder and federated.programs), the shape of views and specs (contracts).
"""
