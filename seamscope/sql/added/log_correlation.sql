-- The request ids that log records carry.
ALTER TABLE base.logs ADD COLUMN IF NOT EXISTS correlation_id VARCHAR;
