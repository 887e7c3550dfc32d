-- The rows of bulk assignments, written in the same transactions as the streams `bulk/<uuid>` that count them (L10, L13).
-- status: pending, waiting (for the answer about its number), held (all or nothing), short (of a unit), succeeded, failed.
CREATE TABLE bulk_rows (
    bulk_id text COLLATE "C" NOT NULL,
    place integer NOT NULL,
    file smallint NOT NULL,
    line integer NOT NULL,
    ext_key text NOT NULL,
    person text NOT NULL,
    number text NOT NULL,
    reference text NOT NULL,
    addons text[] NOT NULL,
    status text NOT NULL DEFAULT 'pending',
    code text,
    reason text,
    extension_id text COLLATE "C",
    identity_id text COLLATE "C",
    PRIMARY KEY (bulk_id, place)
) WITH (fillfactor = 80);
CREATE INDEX bulk_rows_waiting_idx ON bulk_rows (extension_id) WHERE status = 'waiting';

-- Which bulk assignments are in progress: what the runner looks at. Written with the streams' own events.
CREATE TABLE bulk_running (
    bulk_id text COLLATE "C" PRIMARY KEY
);
