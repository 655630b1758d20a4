-- Segments by horizon: a stretch that lies on both paths is two rows here.
CREATE OR REPLACE VIEW base.horizon_segments AS
SELECT 0::UTINYINT AS horizon, * EXCLUDE (horizons) FROM base.segments WHERE horizons <> 2
UNION ALL
SELECT 1::UTINYINT AS horizon, * EXCLUDE (horizons) FROM base.segments WHERE horizons <> 1;
