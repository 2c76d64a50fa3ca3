"""Dagster assembly: definitions, jobs, schedules, sensors, resources; settings; the command line (cli/).

Belongs here: wiring, supervision of processes, reading the environment once, printing for people.
Does not belong here: table work (lake, fhir_mapping, features), cryptography (secure_compute), sums (federated).
"""
