-- Mail to be sent, written in the transaction that says so: key names what it announces, so nothing is told twice.
-- recipient is null where no address was known: such a row is there to be seen, and is never sent.
CREATE TABLE mail (
    key text COLLATE "C" PRIMARY KEY,
    recipient text,
    subject text NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'sent', 'failed')),
    attempts int NOT NULL DEFAULT 0,
    next_try_at timestamptz,
    last_error text,
    sent_at timestamptz
);
CREATE INDEX mail_waiting_idx ON mail (next_try_at, key) WHERE state = 'waiting';
CREATE INDEX mail_created_at_idx ON mail (created_at, key);
