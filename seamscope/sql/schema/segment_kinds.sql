-- What stretches are, once each: whose, why, and how it is known, a row for each horizon whose path such a stretch is on.
CREATE TABLE base.segment_kinds (
    kind_no UINTEGER,
    horizon UTINYINT,
    owner_no UINTEGER,
    cause UTINYINT,
    evidence UTINYINT
);
