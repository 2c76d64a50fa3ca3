"""Dagster assets and checks: thin wrappers, one module a layer.

Belongs here: an asset that calls one function of a package below and returns counts as metadata.
Does not belong here: logic of any kind (the packages below), resources and jobs (pipelines), images or patient values.
"""
