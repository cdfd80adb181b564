-- An account. The tables and their columns are those of SQLite, where the steps are that made them. Texts are compared
-- byte by byte, so that their order is that of SQLite, and of every server. Times are microseconds UTC, 0 for "none".

-- +goose Up

CREATE TABLE account (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE members (
    id              TEXT COLLATE "C" PRIMARY KEY,
    address         TEXT COLLATE "C",
    address_folded  TEXT COLLATE "C" UNIQUE,
    name            TEXT COLLATE "C" NOT NULL,
    role            TEXT COLLATE "C" NOT NULL CHECK (role IN ('member', 'administrator', 'owner', 'provision_manager')),
    state           TEXT COLLATE "C" NOT NULL CHECK (state IN ('not_invited', 'invited', 'pending', 'active')),
    state_since     BIGINT NOT NULL,
    suspended       BOOLEAN NOT NULL DEFAULT FALSE,
    last_user_name  TEXT COLLATE "C" UNIQUE, -- folded; set while unmanaged, for adoption
    invitation_hash TEXT COLLATE "C" UNIQUE,
    version         BIGINT NOT NULL DEFAULT 1,
    created_at      BIGINT NOT NULL,
    invited_at      BIGINT NOT NULL DEFAULT 0,
    signed_up       BOOLEAN NOT NULL DEFAULT FALSE,
    suspension_held BOOLEAN NOT NULL DEFAULT FALSE,
    CHECK ((address IS NULL) = (state = 'not_invited')),
    CHECK ((address IS NULL) = (address_folded IS NULL))
);

CREATE TABLE people (
    id                  TEXT COLLATE "C" PRIMARY KEY,
    member_id           TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES members (id),
    user_name           TEXT COLLATE "C" NOT NULL,
    user_name_folded    TEXT COLLATE "C" NOT NULL UNIQUE,
    external_id         TEXT COLLATE "C",
    display_name        TEXT COLLATE "C",
    display_name_folded TEXT COLLATE "C",
    -- JSON, as it is served. A filter fails at one that has the character U+0000, which jsonb has none of.
    attributes          TEXT COLLATE "C" NOT NULL CHECK (attributes::jsonb IS NOT NULL),
    wanted_address      TEXT COLLATE "C" NOT NULL, -- what the identity provider says; often empty
    wanted_since        BIGINT NOT NULL,
    wanted_blocked      BOOLEAN NOT NULL DEFAULT FALSE, -- somebody else holds it
    version             BIGINT NOT NULL DEFAULT 1,
    created_at          BIGINT NOT NULL,
    modified_at         BIGINT NOT NULL,
    position            BIGINT NOT NULL DEFAULT 0,
    group_ids           TEXT COLLATE "C" NOT NULL DEFAULT '',
    member_state        TEXT COLLATE "C" NOT NULL DEFAULT '',
    member_suspended    BOOLEAN NOT NULL DEFAULT FALSE,
    member_address      TEXT COLLATE "C" NOT NULL DEFAULT '',
    pending_address     TEXT COLLATE "C" NOT NULL DEFAULT ''
);

CREATE TABLE person_emails (
    person_id    TEXT COLLATE "C" NOT NULL REFERENCES people (id) ON DELETE CASCADE,
    position     BIGINT NOT NULL,
    value        TEXT COLLATE "C" NOT NULL,
    value_folded TEXT COLLATE "C" NOT NULL,
    type         TEXT COLLATE "C",
    type_folded  TEXT COLLATE "C",
    PRIMARY KEY (person_id, position)
);

CREATE TABLE groups (
    id            TEXT COLLATE "C" PRIMARY KEY,
    scim_id       TEXT COLLATE "C" UNIQUE,
    name          TEXT COLLATE "C" NOT NULL,
    name_folded   TEXT COLLATE "C" NOT NULL UNIQUE,
    external_id   TEXT COLLATE "C",
    attributes    TEXT COLLATE "C" NOT NULL DEFAULT '{}' CHECK (attributes::jsonb IS NOT NULL),
    built_in      BOOLEAN NOT NULL DEFAULT FALSE,
    -- how many managed people and groups are in it, so that nobody has to count them
    managed_count BIGINT NOT NULL DEFAULT 0,
    version       BIGINT NOT NULL DEFAULT 1,
    created_at    BIGINT NOT NULL,
    modified_at   BIGINT NOT NULL,
    name_version  BIGINT NOT NULL DEFAULT 1
);

CREATE TABLE memberships (
    group_id  TEXT COLLATE "C" NOT NULL REFERENCES groups (id),
    member_id TEXT COLLATE "C" NOT NULL REFERENCES members (id),
    by_scim   BOOLEAN NOT NULL,
    PRIMARY KEY (group_id, member_id)
);

CREATE TABLE nestings (
    group_id TEXT COLLATE "C" NOT NULL REFERENCES groups (id),
    child_id TEXT COLLATE "C" NOT NULL REFERENCES groups (id),
    PRIMARY KEY (group_id, child_id),
    CHECK (group_id <> child_id)
);

CREATE TABLE address_changes (
    member_id      TEXT COLLATE "C" PRIMARY KEY REFERENCES members (id),
    address        TEXT COLLATE "C" NOT NULL,
    address_folded TEXT COLLATE "C" NOT NULL UNIQUE,
    domain         TEXT COLLATE "C" NOT NULL,
    token_hash     TEXT COLLATE "C" UNIQUE,
    since          BIGINT NOT NULL -- of the state that it is in
);

CREATE TABLE tokens (
    id           TEXT COLLATE "C" PRIMARY KEY,
    name         TEXT COLLATE "C" NOT NULL,
    digest       TEXT COLLATE "C" NOT NULL UNIQUE, -- SHA-256 of the secret, which is never stored
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL DEFAULT 0,
    scope        TEXT COLLATE "C" NOT NULL DEFAULT 'admin',
    expires_at   BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE firewall (
    one            BIGINT PRIMARY KEY CHECK (one = 1),
    default_action TEXT COLLATE "C" NOT NULL,
    disabled_until BIGINT NOT NULL DEFAULT 0, -- the break-glass
    version        BIGINT NOT NULL,
    revision       TEXT COLLATE "C" NOT NULL DEFAULT ''
);

CREATE TABLE firewall_rules (
    id           TEXT COLLATE "C" PRIMARY KEY,
    action       TEXT COLLATE "C" NOT NULL,
    priority     BIGINT NOT NULL,
    kind         TEXT COLLATE "C" NOT NULL, -- ip_ranges, countries, continents, anonymous_ips
    match_values TEXT COLLATE "C" NOT NULL,
    description  TEXT COLLATE "C" NOT NULL,
    version      BIGINT NOT NULL,
    likeness     TEXT COLLATE "C" NOT NULL DEFAULT '',
    changed_at   BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE signup_domains (
    domain     TEXT COLLATE "C" PRIMARY KEY,
    created_at BIGINT NOT NULL
);

CREATE TABLE integration (
    one              BIGINT PRIMARY KEY CHECK (one = 1),
    active           BOOLEAN NOT NULL,
    id               TEXT COLLATE "C" NOT NULL DEFAULT '',
    manager_id       TEXT COLLATE "C" NOT NULL DEFAULT '', -- the member, kept through deactivation
    manager_email    TEXT COLLATE "C" NOT NULL DEFAULT '',
    idp              TEXT COLLATE "C" NOT NULL DEFAULT '',
    suspension_limit TEXT COLLATE "C" NOT NULL DEFAULT '',
    epoch            BIGINT NOT NULL DEFAULT 0,
    session_epoch    BIGINT NOT NULL DEFAULT 0, -- the epoch that the sealed session was made for
    next_epoch       BIGINT NOT NULL DEFAULT 1,
    session          TEXT COLLATE "C" NOT NULL DEFAULT '', -- sealed; opaque here
    activated_at     BIGINT NOT NULL DEFAULT 0,
    last_contact     BIGINT NOT NULL DEFAULT 0,
    last_refusal     TEXT COLLATE "C" NOT NULL DEFAULT '', -- JSON
    sign_in_secret   TEXT COLLATE "C" NOT NULL DEFAULT '', -- hex; false salts are made of it
    version          BIGINT NOT NULL,
    released_limit   TEXT COLLATE "C" NOT NULL DEFAULT ''
);

CREATE TABLE generations (
    epoch               BIGINT PRIMARY KEY,
    email               TEXT COLLATE "C" NOT NULL, -- as enrolled, lower case
    kdf                 TEXT COLLATE "C" NOT NULL, -- JSON
    verifier            TEXT COLLATE "C" NOT NULL, -- hex
    created_at          BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL DEFAULT 0, -- 0 for the current one
    ended               TEXT COLLATE "C" NOT NULL DEFAULT '', -- '', expired, changed, deactivated
    needs_second_factor BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE handshakes (
    id         TEXT COLLATE "C" PRIMARY KEY,
    epoch      BIGINT NOT NULL, -- 0 for one that cannot succeed
    email      TEXT COLLATE "C" NOT NULL,
    state      TEXT COLLATE "C" NOT NULL, -- base64; the server's half of SRP
    expires_at BIGINT NOT NULL
);

CREATE TABLE sessions (
    digest         TEXT COLLATE "C" PRIMARY KEY, -- SHA-256 of the session token
    id             TEXT COLLATE "C" NOT NULL UNIQUE,
    epoch          BIGINT NOT NULL REFERENCES generations (epoch),
    instance       TEXT COLLATE "C" NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    last_heartbeat BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE bridges (
    instance     TEXT COLLATE "C" PRIMARY KEY,
    version      TEXT COLLATE "C" NOT NULL,
    revision     TEXT COLLATE "C" NOT NULL,
    address      TEXT COLLATE "C" NOT NULL,
    first_seen   BIGINT NOT NULL,
    last_contact BIGINT NOT NULL,
    state        TEXT COLLATE "C" NOT NULL,
    problems     TEXT COLLATE "C" NOT NULL DEFAULT '[]', -- JSON
    last_refusal TEXT COLLATE "C" NOT NULL DEFAULT '' -- JSON
);

CREATE TABLE attempts (
    id         TEXT COLLATE "C" PRIMARY KEY,
    hour       BIGINT NOT NULL,
    session_id TEXT COLLATE "C" NOT NULL,
    address    TEXT COLLATE "C" NOT NULL,
    email      TEXT COLLATE "C" NOT NULL,
    instance   TEXT COLLATE "C" NOT NULL,
    result     TEXT COLLATE "C" NOT NULL,
    rule_id    TEXT COLLATE "C" NOT NULL,
    first_time BIGINT NOT NULL,
    last_time  BIGINT NOT NULL,
    tries      BIGINT NOT NULL,
    UNIQUE (hour, session_id, address, email, instance, result, rule_id)
);

CREATE TABLE idempotency (
    scope      TEXT COLLATE "C" NOT NULL, -- who asked
    key        TEXT COLLATE "C" NOT NULL,
    digest     TEXT COLLATE "C" NOT NULL, -- of method, path, query and body
    answer     TEXT COLLATE "C" NOT NULL, -- JSON
    created_at BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);

CREATE TABLE outbox (
    id            TEXT COLLATE "C" PRIMARY KEY,
    created_at    BIGINT NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL, -- invitation, address_confirmation, signup
    recipient     TEXT COLLATE "C" NOT NULL,
    subject       TEXT COLLATE "C" NOT NULL,
    body          TEXT COLLATE "C" NOT NULL,
    link          TEXT COLLATE "C" NOT NULL DEFAULT '',
    link_hash     TEXT COLLATE "C",
    state         TEXT COLLATE "C" NOT NULL DEFAULT 'waiting',
    expires_at    BIGINT NOT NULL DEFAULT 0,
    attempts      BIGINT NOT NULL DEFAULT 0,
    next_attempt  BIGINT NOT NULL DEFAULT 0,
    leased_until  BIGINT NOT NULL DEFAULT 0,
    first_failure BIGINT NOT NULL DEFAULT 0,
    last_error    TEXT COLLATE "C" NOT NULL DEFAULT '',
    sent_at       BIGINT NOT NULL DEFAULT 0,
    copies        BIGINT NOT NULL DEFAULT 0,
    blamed        BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE two_factor (
    one         BIGINT PRIMARY KEY CHECK (one = 1),
    enforced_at BIGINT NOT NULL DEFAULT 0, -- 0 while it is not enforced
    version     BIGINT NOT NULL
);

CREATE TABLE people_counts (
    level  BIGINT NOT NULL,
    block  BIGINT NOT NULL,
    people BIGINT NOT NULL,
    PRIMARY KEY (level, block)
);

CREATE TABLE holds (
    id         TEXT COLLATE "C" PRIMARY KEY,
    member_id  TEXT COLLATE "C" NOT NULL REFERENCES members (id),
    group_id   TEXT COLLATE "C" NOT NULL, -- empty for a suspension
    by_scim    BOOLEAN NOT NULL, -- of the membership
    -- A removal that belongs to the held suspension of the same member, and is decided with it.
    attached   BOOLEAN NOT NULL,
    person_id  TEXT COLLATE "C" NOT NULL, -- the SCIM id that the request named
    user_name  TEXT COLLATE "C" NOT NULL, -- at that time
    since      BIGINT NOT NULL,
    -- Later than that of every hold before, whatever the clock said; since, if that was right.
    made       BIGINT NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    client     TEXT COLLATE "C" NOT NULL, -- as in audit events
    idp        TEXT COLLATE "C" NOT NULL
);

CREATE TABLE withdrawals (
    kind         TEXT COLLATE "C" NOT NULL, -- suspension, removal
    time         BIGINT NOT NULL,
    total_before BIGINT NOT NULL,
    total_after  BIGINT NOT NULL,
    PRIMARY KEY (kind, time, total_after)
);

CREATE TABLE access_counts (
    one           BIGINT PRIMARY KEY CHECK (one = 1),
    -- members that are invited or in and not suspended, and managed or held
    people        BIGINT NOT NULL,
    memberships   BIGINT NOT NULL, -- the sum of groups.managed_count
    held_removals BIGINT NOT NULL DEFAULT 0,
    last_hold     BIGINT NOT NULL DEFAULT 0 -- made of the last hold
);

CREATE TABLE refused_tokens (
    day     TEXT COLLATE "C" PRIMARY KEY, -- 2006-01-02
    time    BIGINT NOT NULL, -- of the last one
    address TEXT COLLATE "C" NOT NULL, -- of the last one
    tries   BIGINT NOT NULL
);

CREATE TABLE audit (
    sequence BIGINT PRIMARY KEY,
    id       TEXT COLLATE "C" NOT NULL UNIQUE,
    time     BIGINT NOT NULL,
    actor    TEXT COLLATE "C" NOT NULL,
    address  TEXT COLLATE "C" NOT NULL,
    action   TEXT COLLATE "C" NOT NULL,
    object   TEXT COLLATE "C" NOT NULL,
    summary  TEXT COLLATE "C" NOT NULL,
    hash     TEXT COLLATE "C" NOT NULL
);

CREATE TABLE audit_chain (
    one              BIGINT PRIMARY KEY CHECK (one = 1),
    removed_sequence BIGINT NOT NULL DEFAULT 0,
    removed_hash     TEXT COLLATE "C" NOT NULL DEFAULT '',
    last_sequence    BIGINT NOT NULL DEFAULT 0,
    last_hash        TEXT COLLATE "C" NOT NULL DEFAULT '',
    judged_at        BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE mail_server (
    one           BIGINT PRIMARY KEY CHECK (one = 1),
    name          TEXT COLLATE "C" NOT NULL DEFAULT '', -- host and port; empty if the service sends no mail
    public_url    TEXT COLLATE "C" NOT NULL DEFAULT '', -- of the service, for the links
    failures      BIGINT NOT NULL DEFAULT 0, -- since it worked
    failing_since BIGINT NOT NULL DEFAULT 0,
    next_attempt  BIGINT NOT NULL DEFAULT 0,
    last_error    TEXT COLLATE "C" NOT NULL DEFAULT ''
);

CREATE INDEX members_by_creation ON members (created_at, id);
CREATE INDEX members_by_state ON members (state, state_since);
CREATE INDEX people_by_display_name ON people (display_name_folded);
CREATE INDEX people_by_blocked_address ON people (wanted_since) WHERE wanted_blocked;
CREATE INDEX person_emails_by_value ON person_emails (value_folded, person_id);
CREATE INDEX groups_by_external_id ON groups (external_id) WHERE external_id IS NOT NULL;
CREATE INDEX groups_by_creation ON groups (created_at, id);
CREATE INDEX memberships_by_member ON memberships (member_id, group_id);
CREATE INDEX nestings_by_child ON nestings (child_id, group_id);
CREATE INDEX address_changes_by_domain ON address_changes (domain);
CREATE INDEX handshakes_by_expiry ON handshakes (expires_at);
CREATE INDEX sessions_by_epoch ON sessions (epoch);
CREATE INDEX sessions_by_instance ON sessions (instance);
CREATE INDEX bridges_by_contact ON bridges (last_contact, instance);
CREATE INDEX attempts_by_time ON attempts (last_time, id);
CREATE INDEX idempotency_by_time ON idempotency (created_at);
CREATE INDEX outbox_by_time ON outbox (created_at, id);
CREATE UNIQUE INDEX people_by_position ON people (position);
CREATE INDEX outbox_by_link ON outbox (link_hash) WHERE link_hash IS NOT NULL;
CREATE INDEX firewall_rules_by_likeness ON firewall_rules (likeness);
CREATE INDEX members_by_sign_up ON members (invited_at) WHERE signed_up AND state = 'invited';
CREATE UNIQUE INDEX holds_by_member ON holds (member_id, group_id);
CREATE INDEX holds_by_group ON holds (group_id, member_id);
CREATE INDEX holds_by_time ON holds (made, id) WHERE NOT attached;
CREATE INDEX audit_by_time ON audit (time, id);
CREATE INDEX outbox_by_state ON outbox (state, next_attempt, created_at, id);
CREATE INDEX outbox_blamed ON outbox (id) WHERE blamed = 1;
CREATE INDEX outbox_by_age ON outbox (state, created_at);
CREATE INDEX outbox_leased ON outbox (leased_until) WHERE leased_until > 0;
CREATE INDEX people_by_external_id ON people (external_id, position) WHERE external_id IS NOT NULL;

INSERT INTO firewall (one, default_action, version) VALUES (1, 'allow', 1);
INSERT INTO integration (one, active, version) VALUES (1, FALSE, 1);
INSERT INTO two_factor (one, version) VALUES (1, 1);
INSERT INTO access_counts (one, people, memberships) VALUES (1, 0, 0);
INSERT INTO audit_chain (one) VALUES (1);
INSERT INTO mail_server (one) VALUES (1);

-- The copies in a person's row of what other tables have.

-- +goose StatementBegin
CREATE FUNCTION copy_member_to_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT m.state, m.suspended OR m.suspension_held, COALESCE(m.address, ''), COALESCE(c.address, '')
        INTO NEW.member_state, NEW.member_suspended, NEW.member_address, NEW.pending_address
        FROM members m LEFT JOIN address_changes c ON c.member_id = m.id WHERE m.id = NEW.member_id;
    NEW.group_ids := COALESCE((SELECT string_agg(s.group_id, ' ') FROM memberships s
        WHERE s.member_id = NEW.member_id), '');
    RETURN NEW;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER person_inserted BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION copy_member_to_person();
CREATE TRIGGER person_moved BEFORE UPDATE OF member_id ON people FOR EACH ROW
    WHEN (NEW.member_id <> OLD.member_id) EXECUTE FUNCTION copy_member_to_person();

-- +goose StatementBegin
CREATE FUNCTION copy_state_to_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE people SET member_state = NEW.state, member_suspended = NEW.suspended OR NEW.suspension_held,
        member_address = COALESCE(NEW.address, '') WHERE member_id = NEW.id;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER member_updated AFTER UPDATE OF state, suspended, suspension_held, address ON members FOR EACH ROW
    WHEN ((NEW.state, NEW.suspended, NEW.suspension_held, NEW.address)
        IS DISTINCT FROM (OLD.state, OLD.suspended, OLD.suspension_held, OLD.address))
    EXECUTE FUNCTION copy_state_to_person();

-- +goose StatementBegin
CREATE FUNCTION copy_address_change_to_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE people SET pending_address = '' WHERE member_id = OLD.member_id;
    ELSE
        UPDATE people SET pending_address = NEW.address WHERE member_id = NEW.member_id;
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER address_change_written AFTER INSERT OR DELETE OR UPDATE OF address ON address_changes FOR EACH ROW
    EXECUTE FUNCTION copy_address_change_to_person();

-- +goose StatementBegin
CREATE FUNCTION copy_membership_to_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        UPDATE people SET group_ids = trim(replace(' ' || group_ids || ' ', ' ' || OLD.group_id || ' ', ' '))
            WHERE member_id = OLD.member_id;
    ELSE
        UPDATE people SET group_ids = ltrim(group_ids || ' ' || NEW.group_id) WHERE member_id = NEW.member_id;
    END IF;
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER membership_written AFTER INSERT OR DELETE ON memberships FOR EACH ROW
    EXECUTE FUNCTION copy_membership_to_person();

-- One row: its version moves with each change of what admits a request, so that every account server knows whether what
-- it remembers of that is the newest. It is random: a number would come again, for other rows, after a failover to a
-- standby that had not got the last changes.
CREATE TABLE admission_version (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    version BIGINT NOT NULL
);
INSERT INTO admission_version (one, version) VALUES (1, 1);

-- +goose StatementBegin
CREATE FUNCTION move_admission_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE admission_version SET version = floor(random() * 9007199254740992);
    RETURN NULL;
END
$$;
-- +goose StatementEnd
CREATE TRIGGER firewall_changed AFTER INSERT OR UPDATE OR DELETE ON firewall EXECUTE FUNCTION move_admission_version();
CREATE TRIGGER firewall_rules_changed AFTER INSERT OR UPDATE OR DELETE ON firewall_rules
    EXECUTE FUNCTION move_admission_version();
CREATE TRIGGER tokens_changed AFTER INSERT OR UPDATE OR DELETE ON tokens EXECUTE FUNCTION move_admission_version();
CREATE TRIGGER generations_changed AFTER INSERT OR UPDATE OR DELETE ON generations
    EXECUTE FUNCTION move_admission_version();
-- Not with heartbeats.
CREATE TRIGGER sessions_changed AFTER INSERT OR DELETE OR UPDATE OF digest, id, epoch, instance, created_at, expires_at
    ON sessions EXECUTE FUNCTION move_admission_version();

-- One row, for programs that do not know this schema: see the README of the migrations.
CREATE TABLE schema_compatibility (
    one     BIGINT PRIMARY KEY CHECK (one = 1),
    version BIGINT NOT NULL, -- the schema that since is about
    since   BIGINT NOT NULL -- programs that know this version of the schema, or a later one, work with it
);
INSERT INTO schema_compatibility (one, version, since) VALUES (1, 15, 15);

-- +goose Down

DROP TABLE schema_compatibility, admission_version, mail_server, audit_chain, audit, refused_tokens, access_counts, withdrawals,
    holds, people_counts, two_factor, outbox, idempotency, attempts, bridges, sessions, handshakes, generations,
    integration, signup_domains, firewall_rules, firewall, tokens, address_changes, nestings, memberships, groups,
    person_emails, people, members, account CASCADE;
DROP FUNCTION move_admission_version(), copy_membership_to_person(), copy_address_change_to_person(),
    copy_state_to_person(), copy_member_to_person();
