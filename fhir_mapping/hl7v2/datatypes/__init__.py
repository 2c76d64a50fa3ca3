"""HL7 v2 data types as FHIR data types and as small resources (Practitioner, Organization, Location).

Belongs here: one function a type, from the raw text of one repetition; what there is of the official datatype tables is
read here component by component. Does not belong here: which field goes to which element (the tables of segments).
"""
