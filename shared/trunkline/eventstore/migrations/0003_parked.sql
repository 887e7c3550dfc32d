-- Messages that cannot be read or understood (X6), with everything they came with.
CREATE TABLE parked (
    id bigserial PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    kafka_offset bigint NOT NULL,
    key bytea,
    -- msgpack of [[name, bytes or null], …]: jsonb could hold neither null bytes nor what is no UTF-8
    headers bytea NOT NULL,
    value bytea,
    code text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    parked_at timestamptz NOT NULL,
    status text COLLATE "C" NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'retried', 'discarded')),
    resolved_at timestamptz,
    resolved_by text,
    published boolean NOT NULL DEFAULT false
);
CREATE INDEX parked_unpublished_idx ON parked (id) WHERE NOT published;
CREATE INDEX parked_status_idx ON parked (status, id);

-- Messages that name an event heard before and say something else (S3): seen by people, never applied.
CREATE TABLE quarantined (
    id bigserial PRIMARY KEY,
    source text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    payload_hash bytea NOT NULL,
    type text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    occurred_at timestamptz NOT NULL,
    -- the message as JSON text; jsonb would refuse an escaped null character
    message text NOT NULL,
    quarantined_at timestamptz NOT NULL,
    UNIQUE (source, event_id, payload_hash)
);
