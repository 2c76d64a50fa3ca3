"""Row rules: native expressions over every record that name what is wrong with it, never the value.

Belongs here: conditions and checks of specs as columns, FHIR's own rules on typed values (required lists, periods).
Does not belong here: gates over whole batches (quality), the parsing of values (fhir_mapping.spec), what happens to a
record that breaks a rule (fhir_mapping.mapping).
"""
