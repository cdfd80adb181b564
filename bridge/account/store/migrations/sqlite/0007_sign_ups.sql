-- Members who asked for their invitation themselves, as anybody may.

-- +goose Up

ALTER TABLE members ADD COLUMN signed_up BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX members_by_sign_up ON members (invited_at) WHERE signed_up AND state = 'invited';

-- +goose Down

DROP INDEX members_by_sign_up;
ALTER TABLE members DROP COLUMN signed_up;
