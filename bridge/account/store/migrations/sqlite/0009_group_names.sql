-- A person's document shows the names of groups. How often each was renamed
-- goes into the person's entity tag, so that renaming a group of a hundred
-- thousand people writes one row.

-- +goose Up

ALTER TABLE groups ADD COLUMN name_version BIGINT NOT NULL DEFAULT 1;

-- +goose Down

ALTER TABLE groups DROP COLUMN name_version;
