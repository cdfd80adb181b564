-- Servers keep the policy in the form that is evaluated. Its version says
-- nothing of what is in it: one that is rolled back is given again.

-- +goose Up

-- Names what the policy and its rules say: another name with every change.
ALTER TABLE firewall ADD COLUMN revision TEXT NOT NULL DEFAULT '';

-- The same for rules that are the same in all but the id. Rules from before
-- have none until they are written again, and are not recognised.
ALTER TABLE firewall_rules ADD COLUMN likeness TEXT NOT NULL DEFAULT '';
CREATE INDEX firewall_rules_by_likeness ON firewall_rules (likeness);

-- +goose Down

DROP INDEX firewall_rules_by_likeness;
ALTER TABLE firewall_rules DROP COLUMN likeness;
ALTER TABLE firewall DROP COLUMN revision;
