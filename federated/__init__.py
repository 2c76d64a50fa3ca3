"""Sums over Flower: how a request reaches the sites, how terms come back, and every process that takes part.

Belongs here: the only door to Flower (``runtime``, ``superlink``), the site's worker and its egress guard (``site``),
the coordinator (``coordinator``), the sum programs (``programs``), secrets of the Flower processes (``keys``) and the
command lines of the processes (``processes``). Modules at this level are what both sides of the boundary share.
Does not belong here: cryptography of sums (secure_compute), rosters, approvals and audit chains (governance),
reading or writing tables other than a feature table through ``lake.reader`` (lake), supervision of processes
(pipelines). ``site`` and ``coordinator`` never import each other.
"""
