-- The generations of each view: table <name>_g<generation> holds its rows, the SQL view <name> shows the active one.
-- A generation without a position is still being folded from the streams and is moved by nobody else.
CREATE TABLE projections (
    name text COLLATE "C" NOT NULL,
    generation int NOT NULL,
    version int NOT NULL,
    position bigint,
    status text NOT NULL CHECK (status IN ('building', 'active', 'retired')),
    built_at timestamptz,
    PRIMARY KEY (name, generation)
);
CREATE UNIQUE INDEX projections_active_idx ON projections (name) WHERE status = 'active';
