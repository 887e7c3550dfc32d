-- What numbers says of each number on its compacted topic NumberState: the newest document by `version`, no history (X5, L19).
-- A number that is gone stays as a row without facts, so that an older document that comes again does not bring it back.
-- Emptied, it is read again from the topic's beginning at the next start (`views/number_copy.py`).
CREATE TABLE number_copy (
    number text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL,
    state text,
    since timestamptz,
    organization_id text COLLATE "C",
    holder_id text COLLATE "C",
    reserver_id text COLLATE "C",
    subscription_id text COLLATE "C",
    sku text,
    country text,
    capabilities text,
    quarantined_until timestamptz,
    bound boolean NOT NULL,
    voice_bound boolean NOT NULL,
    extension_id text COLLATE "C",
    generation bigint
) WITH (fillfactor = 80);
CREATE INDEX number_copy_free_idx ON number_copy (organization_id, number) WHERE state = 'assigned' AND NOT bound;
