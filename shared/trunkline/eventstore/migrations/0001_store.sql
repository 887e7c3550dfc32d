-- The event store. stored_events has the eventsourcing library's layout, so that its recorder's log selection works;
-- keys are compared by byte (COLLATE "C"): faster, and the same on every machine.
CREATE TABLE stored_events (
    originator_id text COLLATE "C" NOT NULL,
    originator_version bigint NOT NULL,
    topic text COLLATE "C" NOT NULL,
    state bytea NOT NULL,
    notification_id bigserial NOT NULL,
    PRIMARY KEY (originator_id, originator_version)
);
CREATE UNIQUE INDEX stored_events_notification_id_idx ON stored_events (notification_id);

-- How far each source has been heard, and how far each follower of the log has come.
CREATE TABLE notification_tracking (
    application_name text COLLATE "C" PRIMARY KEY,
    notification_id bigint NOT NULL
);

-- Uniqueness across streams: an extension key in an organization, a user in an organization.
CREATE TABLE claims (
    claim text COLLATE "C" PRIMARY KEY,
    stream_id text COLLATE "C" NOT NULL
);

-- When a stream must be looked at again. A projection of the streams: it can be dropped and rebuilt.
CREATE TABLE deadlines (
    key text COLLATE "C" PRIMARY KEY,
    due_at timestamptz NOT NULL,
    generation bigint NOT NULL
);
CREATE INDEX deadlines_due_at_idx ON deadlines (due_at, key);

-- Which stream waits for which other one to exist or to change (S6, S7).
CREATE TABLE awaited (
    awaited text COLLATE "C" NOT NULL,
    waiter text COLLATE "C" NOT NULL,
    since timestamptz NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (awaited, waiter)
);
CREATE INDEX awaited_waiter_idx ON awaited (waiter);

-- What foreign producers and HTTP callers have already been answered (S3, idempotency keys).
CREATE TABLE inbox (
    source text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    payload_hash bytea NOT NULL,
    received_at timestamptz NOT NULL,
    answer bytea,
    PRIMARY KEY (source, id)
);
