"""Released models and everything that scores with them, in plain Python: no engine, no table, no network.

Belongs here: signed models with their cards (write, load, promote, withdraw), views and features over FHIR JSON,
prediction for one request or one file.
Does not belong here: features as DataFrame columns (features), training (federated), the HTTP surface (gateway),
who may sign (governance).
"""
