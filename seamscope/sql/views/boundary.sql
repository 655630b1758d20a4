-- The tier pair of a seam: 'render:web→origin:orders' crosses 'render→origin'. A service's own name may hold an arrow,
-- so the callee begins at the last arrow that a tier follows.
CREATE OR REPLACE MACRO base.boundary(seam) AS
    split_part(seam, ':', 1) || '→' || regexp_extract(seam, '(?s).*→([a-z]+):', 1);
