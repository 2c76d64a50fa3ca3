"""Segment handlers by subject: which resource a segment belongs to and what it refers to.

Belongs here: the order of segments, groups, references, what a trigger event means. Does not belong here: which field
goes to which element (the tables), how a data type is read (``datatypes``).
"""
