"""Computing on what nobody may see: the secure sum, its keys, tags and ciphertexts. The only door to TenSEAL.

Belongs here: fixed-point code, keystreams, tags, BFV, a site's and the coordinator's half of a round, the client of
the authority; ``authority/`` holds the opener itself, which only its own process imports.
Does not belong here: what is summed (federated.programs), how messages travel (federated), who may ask (governance).
Modules are light until used: none of them is imported here.
"""
