-- +goose Up

-- Tokens that were there before may do everything, for ever, as they could.
ALTER TABLE tokens ADD COLUMN scope TEXT NOT NULL DEFAULT 'admin';
ALTER TABLE tokens ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0; -- 0: never

-- +goose Down

ALTER TABLE tokens DROP COLUMN expires_at;
ALTER TABLE tokens DROP COLUMN scope;
