-- +goose Up
-- Times are microseconds since 1970 UTC. A *_folded column holds its text
-- after case folding, and is what look-ups and uniqueness go by.

CREATE TABLE account (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

-- A member is somebody in the account. A row in state not_invited is only
-- the seat of a person whom nobody could or should invite yet: it carries
-- memberships, and is no member to anyone.
CREATE TABLE members (
    id               TEXT PRIMARY KEY,
    address          TEXT,
    address_folded   TEXT UNIQUE,
    name             TEXT NOT NULL,
    role             TEXT NOT NULL CHECK (role IN ('member', 'administrator', 'owner', 'provision_manager')),
    state            TEXT NOT NULL CHECK (state IN ('not_invited', 'invited', 'pending', 'active')),
    state_since      BIGINT NOT NULL,
    suspended        BOOLEAN NOT NULL DEFAULT FALSE,
    last_user_name   TEXT UNIQUE, -- folded; set while unmanaged, for adoption
    invitation_hash  TEXT UNIQUE,
    version          BIGINT NOT NULL DEFAULT 1,
    created_at       BIGINT NOT NULL,
    CHECK ((address IS NULL) = (state = 'not_invited')),
    CHECK ((address IS NULL) = (address_folded IS NULL))
);

CREATE INDEX members_by_creation ON members (created_at, id);
CREATE INDEX members_by_state ON members (state, state_since);

-- A person is what the identity provider says of a member, under an id that
-- is new each time the member is provisioned. A member with a person is managed.
CREATE TABLE people (
    id                  TEXT PRIMARY KEY,
    member_id           TEXT NOT NULL UNIQUE REFERENCES members (id),
    user_name           TEXT NOT NULL,
    user_name_folded    TEXT NOT NULL UNIQUE,
    external_id         TEXT,
    display_name        TEXT,
    display_name_folded TEXT,
    attributes          TEXT NOT NULL, -- JSON, as it is served
    wanted_address      TEXT NOT NULL, -- what the identity provider says; often empty
    wanted_since        BIGINT NOT NULL,
    wanted_blocked      BOOLEAN NOT NULL DEFAULT FALSE, -- somebody else holds it
    version             BIGINT NOT NULL DEFAULT 1,
    created_at          BIGINT NOT NULL,
    modified_at         BIGINT NOT NULL
);
CREATE INDEX people_by_external_id ON people (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX people_by_display_name ON people (display_name_folded);
CREATE INDEX people_by_blocked_address ON people (wanted_since) WHERE wanted_blocked;
CREATE INDEX people_by_creation ON people (created_at, id);

-- The values of the attribute emails, for look-ups.
CREATE TABLE person_emails (
    person_id    TEXT NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    value        TEXT NOT NULL,
    value_folded TEXT NOT NULL,
    type         TEXT,
    type_folded  TEXT,
    PRIMARY KEY (person_id, position)
);
CREATE INDEX person_emails_by_value ON person_emails (value_folded, person_id);

-- scim_id is set while the group is managed, and new each time it becomes so.
CREATE TABLE groups (
    id            TEXT PRIMARY KEY,
    scim_id       TEXT UNIQUE,
    name          TEXT NOT NULL,
    name_folded   TEXT NOT NULL UNIQUE,
    external_id   TEXT,
    attributes    TEXT NOT NULL DEFAULT '{}',
    built_in      BOOLEAN NOT NULL DEFAULT FALSE,
    -- how many managed people and groups are in it, so that nobody has to count them
    managed_count BIGINT NOT NULL DEFAULT 0,
    version       BIGINT NOT NULL DEFAULT 1,
    created_at    BIGINT NOT NULL,
    modified_at   BIGINT NOT NULL
);
CREATE INDEX groups_by_external_id ON groups (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX groups_by_creation ON groups (created_at, id);

-- by_scim tells the memberships that provisioning made from those made by hand.
CREATE TABLE memberships (
    group_id  TEXT NOT NULL REFERENCES groups (id),
    member_id TEXT NOT NULL REFERENCES members (id),
    by_scim   BOOLEAN NOT NULL,
    PRIMARY KEY (group_id, member_id)
);
CREATE INDEX memberships_by_member ON memberships (member_id, group_id);

-- Groups inside groups; only provisioning makes them.
CREATE TABLE nestings (
    group_id TEXT NOT NULL REFERENCES groups (id),
    child_id TEXT NOT NULL REFERENCES groups (id),
    PRIMARY KEY (group_id, child_id),
    CHECK (group_id <> child_id)
);
CREATE INDEX nestings_by_child ON nestings (child_id, group_id);

-- A member's move to another sign-in address, which waits first for the
-- domain to be allowed (token_hash is null) and then for the person.
CREATE TABLE address_changes (
    member_id      TEXT PRIMARY KEY REFERENCES members (id),
    address        TEXT NOT NULL,
    address_folded TEXT NOT NULL UNIQUE,
    domain         TEXT NOT NULL,
    token_hash     TEXT UNIQUE,
    since          BIGINT NOT NULL -- of the state that it is in
);
CREATE INDEX address_changes_by_domain ON address_changes (domain);

-- +goose Down
DROP TABLE address_changes;
DROP TABLE nestings;
DROP TABLE memberships;
DROP TABLE groups;
DROP TABLE person_emails;
DROP TABLE people;
DROP TABLE members;
DROP TABLE account;
