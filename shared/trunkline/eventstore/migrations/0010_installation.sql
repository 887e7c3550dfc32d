-- Which installation this database belongs to (D10.16). One row at most.
CREATE TABLE installation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    -- Null: none yet.
    id text COLLATE "C",
    -- Of the newest start that the broker has on record too, and of one that may have got there or not.
    start_id text COLLATE "C",
    next_start_id text COLLATE "C",
    -- An operator has declared that this database takes the place of the one that ran before.
    restored boolean NOT NULL DEFAULT false
);

-- The epochs of the log after epoch 0: each restore from a back-up begins one (X1). Events after `after_position` belong
-- to it, up to the next one's.
CREATE TABLE epochs (
    epoch bigint PRIMARY KEY,
    after_position bigint NOT NULL,
    begun_at timestamptz NOT NULL,
    cause text NOT NULL
);

-- The brokers that this log was published to. Events up to `missing_up_to` were committed before the broker was there.
CREATE TABLE brokers (
    cluster text COLLATE "C" NOT NULL,
    topic_prefix text COLLATE "C" NOT NULL,
    missing_up_to bigint NOT NULL,
    PRIMARY KEY (cluster, topic_prefix)
);

-- The state topics that were compared with their views, and filled: in which epoch, and where each partition ended.
CREATE TABLE state_topics (
    cluster text COLLATE "C" NOT NULL,
    topic text COLLATE "C" NOT NULL,
    epoch bigint NOT NULL,
    ends bigint[] NOT NULL,
    PRIMARY KEY (cluster, topic)
);
