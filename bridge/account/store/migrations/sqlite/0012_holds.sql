-- Beyond the integration's suspension_limit, what provisioning takes away is
-- held: provisioning sees it done, and the member keeps it until an operator
-- decides. Times are microseconds UTC.

-- +goose Up

-- A suspension, or a removal from a group. The membership of a held removal is
-- in force here, and no longer in memberships, which is what provisioning sees.
CREATE TABLE holds (
    id         TEXT PRIMARY KEY,
    member_id  TEXT NOT NULL REFERENCES members (id),
    group_id   TEXT NOT NULL, -- empty for a suspension
    by_scim    BOOLEAN NOT NULL, -- of the membership
    -- A removal that belongs to the held suspension of the same member, and is decided with it.
    attached   BOOLEAN NOT NULL,
    person_id  TEXT NOT NULL, -- the SCIM id that the request named
    user_name  TEXT NOT NULL, -- at that time
    since      BIGINT NOT NULL,
    -- Later than that of every hold before, whatever the clock said; since, if that was right.
    made       BIGINT NOT NULL,
    request_id TEXT NOT NULL,
    client     TEXT NOT NULL, -- as in audit events
    idp        TEXT NOT NULL
);
CREATE UNIQUE INDEX holds_by_member ON holds (member_id, group_id);
CREATE INDEX holds_by_group ON holds (group_id, member_id);
CREATE INDEX holds_by_time ON holds (made, id) WHERE NOT attached;

-- Whether the member has a held suspension.
ALTER TABLE members ADD COLUMN suspension_held BOOLEAN NOT NULL DEFAULT FALSE;

-- What provisioning has taken away: how many suspensions and removals there had
-- been in all before and after some at a time, so that those since any time are
-- found by two look-ups. The later ones have higher totals. In one tree, since there
-- may be a row for each removal.
CREATE TABLE withdrawals (
    kind         TEXT NOT NULL, -- suspension, removal
    time         BIGINT NOT NULL,
    total_before BIGINT NOT NULL,
    total_after  BIGINT NOT NULL,
    PRIMARY KEY (kind, time, total_after)
) WITHOUT ROWID;

-- How many there are to suspend and to remove, so that nobody has to count them. One
-- row.
CREATE TABLE access_counts (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    -- members that are invited or in and not suspended, and managed or held
    people        BIGINT NOT NULL,
    memberships   BIGINT NOT NULL, -- the sum of groups.managed_count
    held_removals BIGINT NOT NULL DEFAULT 0,
    last_hold     BIGINT NOT NULL DEFAULT 0 -- made of the last hold
);
INSERT INTO access_counts (one, people, memberships) SELECT 1,
    (SELECT count(*) FROM people p JOIN members m ON m.id = p.member_id
        WHERE NOT m.suspended AND m.state <> 'not_invited'),
    (SELECT COALESCE(sum(managed_count), 0) FROM groups);

-- The limit for which holds were released last. The holds that a higher one allows are
-- released in many transactions; until the last of them the two differ.
ALTER TABLE integration ADD COLUMN released_limit TEXT NOT NULL DEFAULT '';
UPDATE integration SET released_limit = suspension_limit;

-- +goose Down

ALTER TABLE integration DROP COLUMN released_limit;
DROP TABLE access_counts;
DROP TABLE withdrawals;
ALTER TABLE members DROP COLUMN suspension_held;
DROP TABLE holds;
