"""The rules that a resource is held against, a module a kind; ``fhir_mapping.convert.check`` walks the resource.

Belongs here: what one value may be, and how it is mended when it is not.
Does not belong here: the walk and what is dropped upwards (``fhir_mapping.convert.check``), FHIR's tables
(``fhir_mapping.convert.definitions``).
"""
