"""Who a record is about, without saying who: keyed ids of resources, the site's pseudonym key, ID-card numbers.

Belongs here: ids from business keys, loading the key, the check of ID-card numbers (merges, several numbers
of one person and rotation of the key have their place here too).
Does not belong here: making or storing keys (pipelines sets a site up), HMAC itself (``lake.hashing``).
"""
