"""Readers: the bytes of one delivered file become numbered records, each with its exact text, columns and error.

Belongs here: encoding detection, the cutting of files into lines and records, every format that yields flat typed rows
(CSV, TSV, xlsx, JSON Lines, HL7 v2, CDA), MLLP frames and their answers.
Does not belong here: which files there are and what was said of them (``fhir_mapping.manifest``), tables
(``fhir_mapping.bronze``), the meaning of a value: dates, codes, units, trimming (``fhir_mapping.rules``, ``spec``).

What is a record
    CSV: one row as RFC 4180 reads it; a quoted field may hold line breaks. JSON Lines: one physical line. xlsx: a row.
    HL7 v2: a segment of the name that the source calls ``rows``, or a message that has none. CDA: likewise an element.
    The header, blank lines (no character at all) and a final line break are not records; the manifest counts them as
    lines. Records are numbered from 0 in file order; header and blank lines get no number.
What is a line
    Ends at LF or CR LF; where a file has no LF at all, at CR. Nothing else ends a line (not U+2028, not form feed).
Nothing is lost
    Byte-order mark + header + records + blank lines, each with its line end, are the file, byte for byte; a record's
    text keeps undecodable bytes by a reversible escape (``encoding.restore``). HL7 v2 and CDA: the first record of a
    message or document has its whole text. No input raises: a record that cannot
    be read is a record with an error and no values; a file that cannot be read is refused with a reason.
"""
