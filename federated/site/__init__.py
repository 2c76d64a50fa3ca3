"""A hospital's side: one warm worker that executes the installed application and nothing else.

Belongs here: the worker's loop, the handling of join, round and end, the egress guard with its ledger, reading the
site's feature table as arrays, the stock SuperNode on a leash.
Does not belong here: anything of the coordinator (``federated.coordinator``), what a term is (``federated.programs``),
how it is encrypted and signed (``secure_compute``), an engine or a table write (``lake``: only ``lake.reader`` here).
"""
