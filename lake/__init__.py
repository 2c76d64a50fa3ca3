"""The only door to an engine and to Delta: one PySpark API on Sail or Apache Spark, checked writes, Arrow reads.

Belongs here: starting and stopping an engine, tables with a declared schema and idempotent writes, their maintenance,
reading them without an engine, and whatever hides a difference between the engines (hashing, the regex dialect).
Does not belong here: what a table means (fhir_mapping, features), row rules (fhir_mapping.rules), gates (quality),
the names of tables (contracts.zone).

    engine       open_engine(settings): a session of either engine, a Spark Connect client for both
    tables       Table, read, replace, merge, write_arrow: schema checked, all-nullable, never an append
    reader       read_arrow, part_files, version, digest: no PySpark, for processes that start no engine
    data_files   data_files, column_batches: the files of a table one by one, no engine either
    leaves       fillings, leaf_batches, leaves_of, shape_of: leaves of nested columns in them
    together     run_together: several jobs of one engine at a time
    maintenance  history, compact, vacuum: no engine either
    hashing      HMAC-SHA-256 as a column
    regex        the dialect of regular expressions that both engines read alike
    jars         Delta's jars, needed by the Spark engine only
"""
