"""Who may do what, and the proof that it was done: identities, roster, approvals, quorum, audit chain, certificates.

Belongs here: signed records and the rules that judge them, as functions over bytes, files and times.
Does not belong here: table work (lake), ciphertexts and openings (secure_compute), HTTP (gateway,
secure_compute.authority). Light: standard library, pydantic and cryptography only.
"""
