-- What a person decided about a conflicting duplicate (S3): one row, so that no two can. `quarantined` keeps the message.
CREATE TABLE quarantined_outcomes (
    quarantined_id bigint PRIMARY KEY REFERENCES quarantined ON DELETE CASCADE,
    status text COLLATE "C" NOT NULL CHECK (status IN ('applied', 'dismissed')),
    settled_at timestamptz NOT NULL,
    settled_by text NOT NULL,
    remark text,
    -- the event id under which it was applied
    applied_as text
);
CREATE INDEX IF NOT EXISTS mail_failed_idx ON mail (created_at, key) WHERE state = 'failed';
