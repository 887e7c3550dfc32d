-- Uploads in the order they came, to be listed and cut along the tree of parties (uploader_id null: the platform).
CREATE TABLE uploads (
    id text COLLATE "C" PRIMARY KEY,
    created_at timestamptz NOT NULL,
    uploader_id text COLLATE "C"
);
CREATE INDEX uploads_created_at_idx ON uploads (created_at, id);

-- The rows of an upload, a chunk in a row: msgpack, for people there is the report. A chunk that was run has in
-- `refused`, written in that same transaction, which of its good rows were refused after all.
CREATE TABLE upload_chunks (
    upload_id text COLLATE "C" NOT NULL,
    chunk int NOT NULL,
    rows bytea NOT NULL,
    refused bytea,
    PRIMARY KEY (upload_id, chunk)
);
-- Compressing would take longer than writing.
ALTER TABLE upload_chunks ALTER COLUMN rows SET STORAGE EXTERNAL;
