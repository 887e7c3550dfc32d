-- The test clock of a sandbox: how far it is ahead of the machine's. One row at most.
CREATE TABLE test_clock (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    ahead interval NOT NULL
);

-- Every operator command (P6).
CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    command text NOT NULL,
    arguments jsonb NOT NULL,
    outcome text NOT NULL
);
