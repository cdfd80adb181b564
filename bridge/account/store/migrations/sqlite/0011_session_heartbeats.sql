-- +goose Up

-- Which of an instance's sessions is in use, when another one leaves.
ALTER TABLE sessions ADD COLUMN last_heartbeat BIGINT NOT NULL DEFAULT 0; -- 0: none yet

-- +goose Down

ALTER TABLE sessions DROP COLUMN last_heartbeat;
