"""What a clinic can call: released models as CDS Hooks services over TLS, behind signed tokens; model outputs only.

Belongs here: the HTTP surface, who may call it (registered clinics and their tokens), cards made of predictions.
Does not belong here: anything that reads a hospital's rows (lake, fhir_mapping, quality, features, federated),
scoring itself and the models (registry), pages (web), the opener (secure_compute.authority).

What a clinic sends lives for the length of its request: it is neither stored nor logged.

    service     the application: discovery, calls, feedback
    hooks       a call's body: checked, its FHIR resources taken out
    cards       a prediction as CDS Hooks cards
    prefetch    what a model asks clinics to send along
    models      released models, checked when the gateway starts
    clinics     registered clinics, their public keys
    tokens      JSON web tokens: made by a clinic, checked here, each used once
"""
