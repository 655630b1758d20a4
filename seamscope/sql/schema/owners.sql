-- The owners of segments and the seams of hops, once each.
CREATE TABLE base.owners (
    owner_no UINTEGER,
    owner VARCHAR,
    tier UTINYINT,
    service VARCHAR,
    seam VARCHAR
);
