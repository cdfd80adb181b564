-- A person's document is read from one row. It shows the groups of the member, and the account's
-- answers the member's state and addresses, so the row has copies of these. Triggers keep them, whatever
-- statement changes what they are copies of, and a check compares the two.

-- +goose Up

-- The ids of the groups that the member is in, as in memberships, with a space between them.
ALTER TABLE people ADD COLUMN group_ids TEXT NOT NULL DEFAULT '';
ALTER TABLE people ADD COLUMN member_state TEXT NOT NULL DEFAULT '';
-- As provisioning sees it: also if the suspension is held.
ALTER TABLE people ADD COLUMN member_suspended BOOLEAN NOT NULL DEFAULT FALSE;
-- These two are empty for none.
ALTER TABLE people ADD COLUMN member_address TEXT NOT NULL DEFAULT '';
ALTER TABLE people ADD COLUMN pending_address TEXT NOT NULL DEFAULT '';

UPDATE people SET
    (member_state, member_suspended, member_address, pending_address) =
        (SELECT m.state, m.suspended OR m.suspension_held, COALESCE(m.address, ''), COALESCE(c.address, '')
            FROM members m LEFT JOIN address_changes c ON c.member_id = m.id WHERE m.id = people.member_id),
    group_ids = COALESCE((SELECT group_concat(s.group_id, ' ') FROM memberships s
        WHERE s.member_id = people.member_id), '');

-- Those with one externalId in the order of lists.
DROP INDEX people_by_external_id;
CREATE INDEX people_by_external_id ON people (external_id, position) WHERE external_id IS NOT NULL;

-- +goose StatementBegin
CREATE TRIGGER person_inserted AFTER INSERT ON people BEGIN
    UPDATE people SET
        (member_state, member_suspended, member_address, pending_address) =
            (SELECT m.state, m.suspended OR m.suspension_held, COALESCE(m.address, ''), COALESCE(c.address, '')
                FROM members m LEFT JOIN address_changes c ON c.member_id = m.id WHERE m.id = NEW.member_id),
        group_ids = COALESCE((SELECT group_concat(s.group_id, ' ') FROM memberships s
            WHERE s.member_id = NEW.member_id), '')
        WHERE id = NEW.id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER person_moved AFTER UPDATE OF member_id ON people WHEN NEW.member_id <> OLD.member_id BEGIN
    UPDATE people SET
        (member_state, member_suspended, member_address, pending_address) =
            (SELECT m.state, m.suspended OR m.suspension_held, COALESCE(m.address, ''), COALESCE(c.address, '')
                FROM members m LEFT JOIN address_changes c ON c.member_id = m.id WHERE m.id = NEW.member_id),
        group_ids = COALESCE((SELECT group_concat(s.group_id, ' ') FROM memberships s
            WHERE s.member_id = NEW.member_id), '')
        WHERE id = NEW.id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER member_updated AFTER UPDATE OF state, suspended, suspension_held, address ON members
    WHEN (NEW.state, NEW.suspended, NEW.suspension_held, NEW.address)
        IS NOT (OLD.state, OLD.suspended, OLD.suspension_held, OLD.address)
BEGIN
    UPDATE people SET member_state = NEW.state, member_suspended = NEW.suspended OR NEW.suspension_held,
        member_address = COALESCE(NEW.address, '') WHERE member_id = NEW.id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER address_change_inserted AFTER INSERT ON address_changes BEGIN
    UPDATE people SET pending_address = NEW.address WHERE member_id = NEW.member_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER address_change_updated AFTER UPDATE OF address ON address_changes BEGIN
    UPDATE people SET pending_address = NEW.address WHERE member_id = NEW.member_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER address_change_deleted AFTER DELETE ON address_changes BEGIN
    UPDATE people SET pending_address = '' WHERE member_id = OLD.member_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER membership_inserted AFTER INSERT ON memberships BEGIN
    UPDATE people SET group_ids = ltrim(group_ids || ' ' || NEW.group_id) WHERE member_id = NEW.member_id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER membership_deleted AFTER DELETE ON memberships BEGIN
    UPDATE people SET group_ids = trim(replace(' ' || group_ids || ' ', ' ' || OLD.group_id || ' ', ' '))
        WHERE member_id = OLD.member_id;
END;
-- +goose StatementEnd

-- +goose Down

DROP INDEX people_by_external_id;
CREATE INDEX people_by_external_id ON people (external_id) WHERE external_id IS NOT NULL;
DROP TRIGGER membership_deleted;
DROP TRIGGER membership_inserted;
DROP TRIGGER address_change_deleted;
DROP TRIGGER address_change_updated;
DROP TRIGGER address_change_inserted;
DROP TRIGGER member_updated;
DROP TRIGGER person_moved;
DROP TRIGGER person_inserted;
ALTER TABLE people DROP COLUMN pending_address;
ALTER TABLE people DROP COLUMN member_address;
ALTER TABLE people DROP COLUMN member_suspended;
ALTER TABLE people DROP COLUMN member_state;
ALTER TABLE people DROP COLUMN group_ids;
