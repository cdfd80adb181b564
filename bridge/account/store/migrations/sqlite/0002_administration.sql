-- Everything that is not people and groups. Times are microseconds UTC, 0 for
-- "none"; lists are JSON text.

-- +goose Up

CREATE TABLE tokens (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    digest       TEXT NOT NULL UNIQUE, -- SHA-256 of the secret, which is never stored
    created_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL DEFAULT 0
);

-- One row. Its version moves with every change of the policy or of a rule, so
-- that a server may keep the parsed policy for as long as the version stands.
CREATE TABLE firewall (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    default_action TEXT NOT NULL,
    disabled_until BIGINT NOT NULL DEFAULT 0, -- the break-glass
    version        BIGINT NOT NULL
);
INSERT INTO firewall (one, default_action, version) VALUES (1, 'allow', 1);

CREATE TABLE firewall_rules (
    id           TEXT PRIMARY KEY,
    action       TEXT NOT NULL,
    priority     BIGINT NOT NULL,
    kind         TEXT NOT NULL, -- ip_ranges, countries, continents, anonymous_ips
    match_values TEXT NOT NULL,
    description  TEXT NOT NULL,
    version      BIGINT NOT NULL
);

CREATE TABLE signup_domains (
    domain     TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL
);

-- One row, also while no integration is active: next_epoch never goes back.
CREATE TABLE integration (
    one              INTEGER PRIMARY KEY CHECK (one = 1),
    active           BOOLEAN NOT NULL,
    id               TEXT NOT NULL DEFAULT '',
    manager_id       TEXT NOT NULL DEFAULT '', -- the member, kept through deactivation
    manager_email    TEXT NOT NULL DEFAULT '',
    idp              TEXT NOT NULL DEFAULT '',
    suspension_limit TEXT NOT NULL DEFAULT '',
    epoch            BIGINT NOT NULL DEFAULT 0,
    session_epoch    BIGINT NOT NULL DEFAULT 0, -- the epoch that the sealed session was made for
    next_epoch       BIGINT NOT NULL DEFAULT 1,
    session          TEXT NOT NULL DEFAULT '', -- sealed; opaque here
    activated_at     BIGINT NOT NULL DEFAULT 0,
    last_contact     BIGINT NOT NULL DEFAULT 0,
    last_refusal     TEXT NOT NULL DEFAULT '', -- JSON
    sign_in_secret   TEXT NOT NULL DEFAULT '', -- hex; false salts are made of it
    version          BIGINT NOT NULL
);
INSERT INTO integration (one, active, version) VALUES (1, FALSE, 1);

-- A generation of the manager's credentials. One that has ended stays, so
-- that a bridge which still holds it can be told why it is refused.
CREATE TABLE generations (
    epoch      BIGINT PRIMARY KEY,
    email      TEXT NOT NULL, -- as enrolled, lower case
    kdf        TEXT NOT NULL, -- JSON
    verifier   TEXT NOT NULL, -- hex
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL DEFAULT 0, -- 0 for the current one
    ended      TEXT NOT NULL DEFAULT '' -- '', expired, changed, deactivated
);

CREATE TABLE handshakes (
    id         TEXT PRIMARY KEY,
    epoch      BIGINT NOT NULL, -- 0 for one that cannot succeed
    email      TEXT NOT NULL,
    state      TEXT NOT NULL, -- base64; the server's half of SRP
    expires_at BIGINT NOT NULL
);
CREATE INDEX handshakes_by_expiry ON handshakes (expires_at);

CREATE TABLE sessions (
    digest     TEXT PRIMARY KEY, -- SHA-256 of the session token
    id         TEXT NOT NULL UNIQUE,
    epoch      BIGINT NOT NULL REFERENCES generations (epoch),
    instance   TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_epoch ON sessions (epoch);
CREATE INDEX sessions_by_instance ON sessions (instance);

CREATE TABLE bridges (
    instance     TEXT PRIMARY KEY,
    version      TEXT NOT NULL,
    revision     TEXT NOT NULL,
    address      TEXT NOT NULL,
    first_seen   BIGINT NOT NULL,
    last_contact BIGINT NOT NULL,
    state        TEXT NOT NULL,
    problems     TEXT NOT NULL DEFAULT '[]', -- JSON
    last_refusal TEXT NOT NULL DEFAULT '' -- JSON
);
CREATE INDEX bridges_by_contact ON bridges (last_contact, instance);

-- Merged per session, address, rule and hour.
CREATE TABLE attempts (
    id         TEXT PRIMARY KEY,
    hour       BIGINT NOT NULL,
    session_id TEXT NOT NULL,
    address    TEXT NOT NULL,
    email      TEXT NOT NULL,
    instance   TEXT NOT NULL,
    result     TEXT NOT NULL,
    rule_id    TEXT NOT NULL,
    first_time BIGINT NOT NULL,
    last_time  BIGINT NOT NULL,
    tries      BIGINT NOT NULL,
    UNIQUE (hour, session_id, address, email, instance, result, rule_id)
);
CREATE INDEX attempts_by_time ON attempts (last_time, id);

CREATE TABLE audit (
    id      TEXT PRIMARY KEY,
    time    BIGINT NOT NULL,
    actor   TEXT NOT NULL,
    address TEXT NOT NULL,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL,
    summary TEXT NOT NULL
);
CREATE INDEX audit_by_time ON audit (time, id);

CREATE TABLE idempotency (
    scope      TEXT NOT NULL, -- who asked
    key        TEXT NOT NULL,
    digest     TEXT NOT NULL, -- of method, path, query and body
    answer     TEXT NOT NULL, -- JSON
    created_at BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_by_time ON idempotency (created_at);

CREATE TABLE outbox (
    id         TEXT PRIMARY KEY,
    created_at BIGINT NOT NULL,
    kind       TEXT NOT NULL, -- invitation, address_confirmation, signup
    recipient  TEXT NOT NULL,
    subject    TEXT NOT NULL,
    body       TEXT NOT NULL
);
CREATE INDEX outbox_by_time ON outbox (created_at, id);

-- +goose Down

DROP TABLE outbox;
DROP TABLE idempotency;
DROP TABLE audit;
DROP TABLE attempts;
DROP TABLE bridges;
DROP TABLE sessions;
DROP TABLE handshakes;
DROP TABLE generations;
DROP TABLE integration;
DROP TABLE signup_domains;
DROP TABLE firewall_rules;
DROP TABLE firewall;
DROP TABLE tokens;
