-- What many hops have in common, once each (seamscope/store/kinds.py); one kind may be here twice.
CREATE TABLE base.hop_kinds (
    kind_no UINTEGER,
    seam_no UINTEGER,
    caller_instance VARCHAR,
    callee_instance VARCHAR,
    peer VARCHAR,
    operation VARCHAR,
    status SMALLINT,
    gap_kind UTINYINT
);
