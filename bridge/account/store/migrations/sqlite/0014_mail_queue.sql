-- Mails are sent by the account service. Times are microseconds UTC, 0 for "none".

-- +goose Up

ALTER TABLE outbox ADD COLUMN state TEXT NOT NULL DEFAULT 'waiting'; -- waiting, suspended, sent, failed, void
-- When the link in it ends: it is not sent from then on.
ALTER TABLE outbox ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN attempts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN next_attempt BIGINT NOT NULL DEFAULT 0;
-- Until then it belongs to the process that is sending it.
ALTER TABLE outbox ADD COLUMN leased_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN first_failure BIGINT NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN last_error TEXT NOT NULL DEFAULT '';
ALTER TABLE outbox ADD COLUMN sent_at BIGINT NOT NULL DEFAULT 0;
-- Attempts of which it is not known that they came to nothing: the mail server may have taken the mail each time.
ALTER TABLE outbox ADD COLUMN copies BIGINT NOT NULL DEFAULT 0;
-- 1 if the mail server did not take it, and has taken no mail since.
ALTER TABLE outbox ADD COLUMN blamed BIGINT NOT NULL DEFAULT 0;
-- A link ends 30 days after it was made, however often it was queued; that of somebody who signed up and is not
-- provisioned after a day.
UPDATE outbox SET next_attempt = created_at, expires_at = COALESCE(
    (SELECT m.invited_at + CASE WHEN m.signed_up AND NOT EXISTS (SELECT 1 FROM people p WHERE p.member_id = m.id)
        THEN 86400000000 ELSE 2592000000000 END FROM members m WHERE m.invitation_hash = outbox.link_hash),
    (SELECT c.since + 2592000000000 FROM address_changes c WHERE c.token_hash = outbox.link_hash),
    created_at + 2592000000000);
UPDATE outbox SET state = 'void' WHERE link_hash IS NULL;
-- Of each link only the latest mail is sent: reminders were queued while none was.
UPDATE outbox SET state = 'void' WHERE link_hash IS NOT NULL AND EXISTS (SELECT 1 FROM outbox o
    WHERE o.link_hash = outbox.link_hash AND (o.created_at, o.id) > (outbox.created_at, outbox.id));
CREATE INDEX outbox_by_state ON outbox (state, next_attempt, created_at, id);
CREATE INDEX outbox_blamed ON outbox (id) WHERE blamed = 1;
CREATE INDEX outbox_by_age ON outbox (state, created_at);
CREATE INDEX outbox_leased ON outbox (leased_until) WHERE leased_until > 0;

-- The mail server, as the account service that was started last has it, and how it
-- does. One row.
CREATE TABLE mail_server (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    name          TEXT NOT NULL DEFAULT '', -- host and port; empty if the service sends no mail
    public_url    TEXT NOT NULL DEFAULT '', -- of the service, for the links
    failures      BIGINT NOT NULL DEFAULT 0, -- since it worked
    failing_since BIGINT NOT NULL DEFAULT 0,
    next_attempt  BIGINT NOT NULL DEFAULT 0,
    last_error    TEXT NOT NULL DEFAULT ''
);
INSERT INTO mail_server (one) VALUES (1);

-- +goose Down

DROP TABLE mail_server;
DROP INDEX outbox_by_state;
DROP INDEX outbox_blamed;
DROP INDEX outbox_by_age;
DROP INDEX outbox_leased;
ALTER TABLE outbox DROP COLUMN blamed;
ALTER TABLE outbox DROP COLUMN copies;
ALTER TABLE outbox DROP COLUMN sent_at;
ALTER TABLE outbox DROP COLUMN last_error;
ALTER TABLE outbox DROP COLUMN first_failure;
ALTER TABLE outbox DROP COLUMN leased_until;
ALTER TABLE outbox DROP COLUMN next_attempt;
ALTER TABLE outbox DROP COLUMN attempts;
ALTER TABLE outbox DROP COLUMN expires_at;
ALTER TABLE outbox DROP COLUMN state;
