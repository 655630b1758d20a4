-- The platforms' ids that log records carry.
ALTER TABLE base.logs ADD COLUMN IF NOT EXISTS platform_id VARCHAR;
