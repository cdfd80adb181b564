-- Whether signing in takes a second factor. Times are microseconds UTC, 0 for
-- "none".

-- +goose Up

-- One row.
CREATE TABLE two_factor (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    enforced_at BIGINT NOT NULL DEFAULT 0, -- 0 while it is not enforced
    version     BIGINT NOT NULL
);
INSERT INTO two_factor (one, version) VALUES (1, 1);

-- Whether a generation of credentials was there when the policy that holds
-- was enforced: a mark rather than a comparison of times, which could tie.
ALTER TABLE generations ADD COLUMN needs_second_factor BOOLEAN NOT NULL DEFAULT FALSE;

-- +goose Down

ALTER TABLE generations DROP COLUMN needs_second_factor;
DROP TABLE two_factor;
