-- What a loop could not do and has set aside, so that the rest goes on: retried with back-off, seen by operators.
-- A loop that follows a log keeps one row for each stream, with the position of the first event not done: what comes
-- after it in the same stream waits behind it. Other loops keep one row for each item of theirs.
CREATE TABLE failed_items (
    loop text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    -- log position, or the generation of a deadline; 0 where the key says all
    position bigint NOT NULL,
    cause text NOT NULL,
    tries integer NOT NULL,
    failed_at timestamptz NOT NULL,
    last_try_at timestamptz NOT NULL,
    next_try_at timestamptz,
    status text COLLATE "C" NOT NULL DEFAULT 'waiting' CHECK (status IN ('waiting', 'discarded')),
    PRIMARY KEY (loop, key)
);
CREATE INDEX failed_items_page_idx ON failed_items (failed_at, loop, key);

-- A view that some streams are missing from is not whole: the rows of these streams are as they were.
ALTER TABLE projections ADD COLUMN whole boolean NOT NULL DEFAULT true;

-- An item's first events are done, or all of it. Whoever comes second has a conflict: nothing is done twice.
CREATE FUNCTION trunkline_settle_failed_item(item_loop text, item_key text, expected bigint, next_position bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF next_position IS NULL THEN
        DELETE FROM failed_items WHERE loop = item_loop AND key = item_key AND position = expected;
    ELSE
        UPDATE failed_items SET position = next_position
        WHERE loop = item_loop AND key = item_key AND position = expected;
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% of %: another one has settled it meanwhile', item_key, item_loop USING ERRCODE = '40001';
    END IF;
END $$;
