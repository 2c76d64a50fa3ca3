"""The key authority: makes a run's keys, judges requests, opens a sum once, signs what it opened.

Belongs here: keys, policy, ledger, opener, and the HTTP service around them, in a process of their own
(``python -m secure_compute.authority --config FILE``).
Does not belong here: anything that sees a site's ciphertext or a row. Nothing outside ``pipelines`` imports this.
"""
