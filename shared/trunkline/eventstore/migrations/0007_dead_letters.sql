-- What became of a parked message when a person dealt with it (O5): one row, so that no two can. `parked` keeps what came.
CREATE TABLE parked_outcomes (
    parked_id bigint PRIMARY KEY REFERENCES parked,
    remark text,
    -- what was put in place of what came, before it was retried; headers as in `parked`
    edited boolean NOT NULL,
    headers bytea,
    value bytea
);
-- Whether an older one of the same key waits; a key may be longer than an index takes.
CREATE INDEX parked_key_idx ON parked (topic, md5(key), id) WHERE status = 'waiting';
