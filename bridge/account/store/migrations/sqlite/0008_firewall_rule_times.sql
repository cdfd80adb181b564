-- Whoever is shut out by a rule wants to know since when it stands.

-- +goose Up

-- When what the rule says was last changed; 0 for rules from before.
ALTER TABLE firewall_rules ADD COLUMN changed_at BIGINT NOT NULL DEFAULT 0;

-- +goose Down

ALTER TABLE firewall_rules DROP COLUMN changed_at;
