-- Writing a batch in one round trip: a transaction of its own where it is small, the first and the last statement of
-- one where its events are copied in between. Every statement of a function sees what was committed before it began,
-- so what is checked after the lock is what is there.

-- The writers' lock, and what was read held against what is there now. The code tells the two errors apart by state:
-- TL001 a conflict, TL002 overtaken.
CREATE FUNCTION trunkline_lock(
    lock_key bigint,
    read_ids text[], read_versions bigint[],             -- streams and the versions they were read at
    asked text[], seen_awaited text[], seen_waiters text[]  -- whose waiters were read, and who they were
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    rival record;
BEGIN
    PERFORM pg_advisory_xact_lock(lock_key);
    IF read_ids IS NOT NULL THEN
        SELECT r.id, r.version, coalesce(s.version, 0) AS is_at INTO rival
        FROM unnest(read_ids, read_versions) AS r(id, version)
        LEFT JOIN LATERAL (
            SELECT max(e.originator_version) AS version FROM stored_events e WHERE e.originator_id = r.id
        ) AS s ON true
        WHERE coalesce(s.version, 0) <> r.version
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION '% was read at version % and is at %', rival.id, rival.version, rival.is_at
                USING ERRCODE = 'TL001';
        END IF;
    END IF;
    IF asked IS NOT NULL THEN
        IF (SELECT count(*) FROM awaited a WHERE a.awaited = ANY (asked)) <> coalesce(cardinality(seen_awaited), 0)
            OR EXISTS (
                SELECT FROM unnest(seen_awaited, seen_waiters) AS s(awaited, waiter)
                WHERE NOT EXISTS (SELECT FROM awaited a WHERE a.awaited = s.awaited AND a.waiter = s.waiter)
            )
        THEN
            RAISE EXCEPTION 'the set of waiters has changed since it was read' USING ERRCODE = 'TL001';
        END IF;
    END IF;
END $$;

-- Source positions, each compare-and-set: an update that touches nothing is a rival's work, not a success.
CREATE FUNCTION trunkline_move(
    first_sources text[], first_positions bigint[],
    sources text[], expected bigint[], positions bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    moved bigint := 0;
    now_moved bigint;
BEGIN
    IF first_sources IS NOT NULL THEN
        INSERT INTO notification_tracking SELECT * FROM unnest(first_sources, first_positions) ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS moved = ROW_COUNT;
    END IF;
    IF sources IS NOT NULL THEN
        UPDATE notification_tracking t SET notification_id = u.position
        FROM unnest(sources, expected, positions) AS u(source, expected, position)
        WHERE t.application_name = u.source AND t.notification_id = u.expected;
        GET DIAGNOSTICS now_moved = ROW_COUNT;
        moved := moved + now_moved;
    END IF;
    IF moved <> coalesce(cardinality(first_sources), 0) + coalesce(cardinality(sources), 0) THEN
        RAISE EXCEPTION '%: another reader has moved it meanwhile', array_to_string(first_sources || sources, ', ')
            USING ERRCODE = 'TL002';
    END IF;
END $$;

-- A follower's position alone. A lost one only repeats work, so nobody waits for the disk.
CREATE FUNCTION trunkline_move_follower(follower text, expected bigint, new_position bigint)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    IF expected IS NULL THEN
        PERFORM trunkline_move(ARRAY[follower], ARRAY[new_position], NULL, NULL, NULL);
    ELSE
        PERFORM trunkline_move(NULL, NULL, ARRAY[follower], ARRAY[expected], ARRAY[new_position]);
    END IF;
END $$;

-- What goes with the events: claims, deadlines, who waits for whom, what was heard, and how far the sources are.
-- Wakes whoever listens, with the name of the sender, and tells the log's end.
CREATE FUNCTION trunkline_beside(
    added bigint, sender text,
    unclaimed text[], claimed text[], claiming text[],
    not_due text[], due_keys text[], due_at timestamptz[], generations bigint[],
    unwait_awaited text[], unwait_waiters text[],
    wait_awaited text[], wait_waiters text[], wait_since timestamptz[], wait_reasons text[],
    heard_sources text[], heard_ids text[], heard_hashes bytea[], heard_at timestamptz,
    first_sources text[], first_positions bigint[],
    sources text[], expected bigint[], positions bigint[]
) RETURNS bigint LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    IF unclaimed IS NOT NULL THEN
        DELETE FROM claims WHERE claim = ANY (unclaimed);
    END IF;
    IF claimed IS NOT NULL THEN
        INSERT INTO claims SELECT * FROM unnest(claimed, claiming);
    END IF;
    IF not_due IS NOT NULL THEN
        DELETE FROM deadlines WHERE key = ANY (not_due);
    END IF;
    IF due_keys IS NOT NULL THEN
        INSERT INTO deadlines (key, due_at, generation)
        SELECT * FROM unnest(due_keys, trunkline_beside.due_at, generations)
        ON CONFLICT (key) DO UPDATE SET due_at = EXCLUDED.due_at, generation = EXCLUDED.generation;
    END IF;
    IF unwait_awaited IS NOT NULL THEN
        DELETE FROM awaited a USING unnest(unwait_awaited, unwait_waiters) AS u(awaited, waiter)
        WHERE a.awaited = u.awaited AND a.waiter = u.waiter;
    END IF;
    IF wait_awaited IS NOT NULL THEN
        INSERT INTO awaited SELECT * FROM unnest(wait_awaited, wait_waiters, wait_since, wait_reasons)
        ON CONFLICT (awaited, waiter) DO UPDATE SET reason = EXCLUDED.reason;
    END IF;
    IF heard_sources IS NOT NULL THEN
        INSERT INTO inbox (source, id, payload_hash, received_at)
        SELECT h.source, h.id, h.payload_hash, heard_at
        FROM unnest(heard_sources, heard_ids, heard_hashes) AS h(source, id, payload_hash);
    END IF;
    IF first_sources IS NOT NULL OR sources IS NOT NULL THEN
        PERFORM trunkline_move(first_sources, first_positions, sources, expected, positions);
    END IF;
    IF added = 0 THEN
        RETURN (SELECT coalesce(max(notification_id), 0) FROM stored_events);
    END IF;
    PERFORM pg_notify('stored_events', sender);
    RETURN currval('stored_events_notification_id_seq');
END $$;

-- All of it.
CREATE FUNCTION trunkline_append(
    lock_key bigint,
    read_ids text[], read_versions bigint[],
    asked text[], seen_awaited text[], seen_waiters text[],
    ids text[], versions bigint[], names text[], states bytea[],
    sender text,
    unclaimed text[], claimed text[], claiming text[],
    not_due text[], due_keys text[], due_at timestamptz[], generations bigint[],
    unwait_awaited text[], unwait_waiters text[],
    wait_awaited text[], wait_waiters text[], wait_since timestamptz[], wait_reasons text[],
    heard_sources text[], heard_ids text[], heard_hashes bytea[], heard_at timestamptz,
    first_sources text[], first_positions bigint[],
    sources text[], expected bigint[], positions bigint[]
) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trunkline_lock(lock_key, read_ids, read_versions, asked, seen_awaited, seen_waiters);
    IF ids IS NOT NULL THEN
        INSERT INTO stored_events (originator_id, originator_version, topic, state)
        SELECT * FROM unnest(ids, versions, names, states);
    END IF;
    RETURN trunkline_beside(
        coalesce(cardinality(ids), 0), sender,
        unclaimed, claimed, claiming, not_due, due_keys, due_at, generations,
        unwait_awaited, unwait_waiters, wait_awaited, wait_waiters, wait_since, wait_reasons,
        heard_sources, heard_ids, heard_hashes, heard_at,
        first_sources, first_positions, sources, expected, positions
    );
END $$;
