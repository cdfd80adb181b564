-- Audit events are a chain: each event's hash covers the event before it. Package
-- audit has what it covers. Times are microseconds UTC.

-- +goose Up

-- Requests with wrong admin tokens, by day. Strangers make them, so that there is one
-- row a day, which grows, and a chain can have no such row.
CREATE TABLE refused_tokens (
    day     TEXT PRIMARY KEY, -- 2006-01-02
    time    BIGINT NOT NULL, -- of the last one
    address TEXT NOT NULL, -- of the last one
    tries   BIGINT NOT NULL
);
INSERT INTO refused_tokens (day, time, address, tries)
    SELECT substr(id, 16), time, address, CAST(object AS INTEGER) FROM audit
    WHERE id LIKE 'tokens-refused-%' AND action = 'token.refused';
DELETE FROM audit WHERE id LIKE 'tokens-refused-%' AND action = 'token.refused';

-- The events that there are, in their order, become the beginning of the chain.
CREATE TABLE audit_numbered (
    sequence INTEGER PRIMARY KEY,
    id TEXT, time BIGINT, actor TEXT, address TEXT, action TEXT, object TEXT, summary TEXT
);
INSERT INTO audit_numbered
    SELECT row_number() OVER (ORDER BY time, id), id, time, actor, address, action, object, summary FROM audit;
DROP TABLE audit;
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    id       TEXT NOT NULL UNIQUE,
    time     BIGINT NOT NULL,
    actor    TEXT NOT NULL,
    address  TEXT NOT NULL,
    action   TEXT NOT NULL,
    object   TEXT NOT NULL,
    summary  TEXT NOT NULL,
    hash     TEXT NOT NULL
);
INSERT INTO audit
    WITH RECURSIVE chain (sequence, hash) AS (
        SELECT 0, ''
        UNION ALL SELECT n.sequence, audit_hash(chain.hash, n.sequence, n.id, n.time, n.actor, n.address, n.action,
            n.object, n.summary)
        FROM chain JOIN audit_numbered n ON n.sequence = chain.sequence + 1
    )
    SELECT n.sequence, n.id, n.time, n.actor, n.address, n.action, n.object, n.summary, chain.hash
    FROM chain JOIN audit_numbered n ON n.sequence = chain.sequence;
DROP TABLE audit_numbered;
CREATE INDEX audit_by_time ON audit (time, id);

-- One row: the newest event that was removed because of its age, after which the
-- chain begins, the newest one that there is, and the time by which ages were
-- judged last, 0 before the first time.
CREATE TABLE audit_chain (
    one              INTEGER PRIMARY KEY CHECK (one = 1),
    removed_sequence BIGINT NOT NULL DEFAULT 0,
    removed_hash     TEXT NOT NULL DEFAULT '',
    last_sequence    BIGINT NOT NULL DEFAULT 0,
    last_hash        TEXT NOT NULL DEFAULT '',
    judged_at        BIGINT NOT NULL DEFAULT 0
);
INSERT INTO audit_chain (one, last_sequence, last_hash)
    SELECT 1, COALESCE(max(sequence), 0), COALESCE((SELECT hash FROM audit ORDER BY sequence DESC LIMIT 1), '') FROM audit;

-- +goose Down

DROP TABLE audit_chain;
DROP INDEX audit_by_time;
ALTER TABLE audit RENAME TO audit_chained;
CREATE TABLE audit (
    id      TEXT PRIMARY KEY,
    time    BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    address TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    summary TEXT NOT NULL
);
INSERT INTO audit SELECT id, time, actor, address, action, object, summary FROM audit_chained;
DROP TABLE audit_chained;
CREATE INDEX audit_by_time ON audit (time, id);
DROP TABLE refused_tokens;
