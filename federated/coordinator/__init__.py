"""The platform operator's side: starts a Flower run, asks for terms, adds ciphertexts, keeps its own checkpoint.

Belongs here: the Flower session, the driving of sum programs round by round, the checkpoint and results.
Does not belong here: anything that reads rows or a site's files (``federated.site``, lake, features), the secret key
and the opening of totals (the authority, reached over TLS through ``secure_compute.authority_client`` only).
"""
