-- Tokens that are not believed any more, although they have not expired: one by its id, or all of a subject that were
-- issued before an instant.
CREATE TABLE token_revocations (
    id bigserial PRIMARY KEY,
    issuer text COLLATE "C",
    token_id text COLLATE "C",
    subject text COLLATE "C",
    not_before timestamptz,
    revoked_at timestamptz NOT NULL,
    revoked_by text NOT NULL,
    remark text NOT NULL,
    CHECK ((token_id IS NULL) <> (subject IS NULL))
);
