"""Imported once by the server process that jobs are forked from; opens nothing, starts no thread."""

import importlib
import os

os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when Great Expectations is imported

NEEDED_BY_JOBS = (
    "pysail",
    "deltalake",
    "pandas",
    "pyspark.sql.connect.session",
    "great_expectations",
    "fhir.resources.R4B",
    "pipelines.site_location",
    "pipelines.region_location",
)

for name in NEEDED_BY_JOBS:
    importlib.import_module(name)
