-- Links in mails end: with their use, with the next one, and with time. Times
-- are microseconds UTC, 0 for "none".

-- +goose Up

-- When the link was made by which the member can join.
ALTER TABLE members ADD COLUMN invited_at BIGINT NOT NULL DEFAULT 0;
UPDATE members SET invited_at = state_since WHERE invitation_hash IS NOT NULL;

-- The link in the body for as long as it is good, and the hash under which
-- the rest of the database knows it.
ALTER TABLE outbox ADD COLUMN link TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN link_hash TEXT;
CREATE INDEX outbox_by_link ON outbox (link_hash) WHERE link_hash IS NOT NULL;

-- +goose Down

DROP INDEX outbox_by_link;
ALTER TABLE outbox DROP COLUMN link_hash;
ALTER TABLE outbox DROP COLUMN link;
ALTER TABLE members DROP COLUMN invited_at;
