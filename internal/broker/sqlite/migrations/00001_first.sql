-- +goose Up
CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value TEXT NOT NULL
) STRICT;

CREATE TABLE accounts (
	account     TEXT PRIMARY KEY,
	recipient   TEXT NOT NULL,
	signing_key TEXT NOT NULL UNIQUE,
	created_at  INTEGER NOT NULL
) STRICT;

-- Every wallet: agents, and the owner's own. A torn down one keeps its row, so that
-- its name is never used again.
CREATE TABLE agents (
	wallet          TEXT PRIMARY KEY,
	account         TEXT NOT NULL REFERENCES accounts (account),
	role            TEXT NOT NULL CHECK (role IN ('owner', 'agent')),
	created_at      INTEGER NOT NULL,
	torn_down_at    INTEGER NOT NULL DEFAULT 0,
	revision        INTEGER NOT NULL DEFAULT 0,
	manifest        BLOB,
	signature       BLOB,
	machine         TEXT NOT NULL DEFAULT '',
	host            TEXT NOT NULL DEFAULT '',
	version         TEXT NOT NULL DEFAULT '',
	storage_backend TEXT NOT NULL DEFAULT '',
	keychain_state  TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX agents_account ON agents (account, created_at);

CREATE TABLE identities (
	account  TEXT NOT NULL REFERENCES accounts (account),
	identity TEXT NOT NULL,
	wallet   TEXT NOT NULL REFERENCES agents (wallet),
	PRIMARY KEY (account, identity)
) STRICT;
CREATE INDEX identities_identity ON identities (identity);
CREATE INDEX identities_wallet ON identities (wallet);

CREATE TABLE sessions (
	id              INTEGER PRIMARY KEY AUTOINCREMENT,
	account         TEXT NOT NULL REFERENCES accounts (account),
	wallet          TEXT NOT NULL REFERENCES agents (wallet),
	role            TEXT NOT NULL CHECK (role IN ('owner', 'agent')),
	state           TEXT NOT NULL CHECK (state IN ('active', 'parked', 'ended', 'lapsed')),
	device_sign_key TEXT NOT NULL,
	created_at      INTEGER NOT NULL,
	renewed_at      INTEGER NOT NULL,
	expires_at      INTEGER NOT NULL,
	used            INTEGER NOT NULL,
	seen_epoch      TEXT NOT NULL,
	last_seen       INTEGER NOT NULL,
	address         TEXT NOT NULL,
	ended_at        INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX sessions_living ON sessions (wallet) WHERE state <> 'ended';
CREATE INDEX sessions_wallet ON sessions (account, wallet, id);

-- The SHA-256 of every token: C, N, R of sessions and those of pairings, unique over
-- all of them. No token itself is in this database.
CREATE TABLE tokens (
	hash    TEXT PRIMARY KEY,
	number  INTEGER NOT NULL,
	kind    TEXT NOT NULL CHECK (kind IN ('pairing', 'current', 'next', 'retired', 'asked', 'ended')),
	account TEXT NOT NULL,
	wallet  TEXT NOT NULL,
	session INTEGER REFERENCES sessions (id),
	CHECK ((kind = 'pairing') = (session IS NULL))
) STRICT;
CREATE UNIQUE INDEX tokens_one_current ON tokens (session) WHERE kind = 'current';
CREATE UNIQUE INDEX tokens_one_next ON tokens (session) WHERE kind = 'next';
CREATE INDEX tokens_session ON tokens (session, number);

CREATE TABLE records (
	account  TEXT NOT NULL REFERENCES accounts (account),
	wallet   TEXT NOT NULL REFERENCES agents (wallet),
	service  TEXT NOT NULL,
	revision INTEGER NOT NULL,
	sha256   TEXT NOT NULL,
	data     BLOB NOT NULL,
	PRIMARY KEY (wallet, service)
) STRICT;

-- The highest revision that a service ever had in a wallet; never reset.
CREATE TABLE revisions (
	account TEXT NOT NULL REFERENCES accounts (account),
	wallet  TEXT NOT NULL REFERENCES agents (wallet),
	service TEXT NOT NULL,
	highest INTEGER NOT NULL,
	PRIMARY KEY (wallet, service)
) STRICT;

CREATE TABLE pairings (
	token_sha256 TEXT PRIMARY KEY,
	lookup       TEXT NOT NULL,
	request      BLOB NOT NULL,
	mac          BLOB NOT NULL,
	state        TEXT NOT NULL CHECK (state IN ('open', 'denied', 'approved', 'expired')),
	address      TEXT NOT NULL,
	opened_at    INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL,
	resumed      INTEGER NOT NULL,
	wants        TEXT NOT NULL,
	found_by     TEXT NOT NULL,
	account      TEXT NOT NULL,
	wallet       TEXT NOT NULL,
	grant_bytes  BLOB,
	grant_mac    BLOB,
	manifest     BLOB,
	signature    BLOB,
	deny_mac     BLOB,
	decided_at   INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX pairings_living ON pairings (lookup) WHERE state IN ('open', 'denied') AND expires_at > 0;
CREATE INDEX pairings_lookup ON pairings (lookup, opened_at);
CREATE INDEX pairings_expiry ON pairings (expires_at) WHERE state IN ('open', 'denied') AND expires_at > 0;
CREATE INDEX pairings_account ON pairings (account, decided_at);

CREATE TABLE events (
	account TEXT NOT NULL REFERENCES accounts (account),
	wallet  TEXT NOT NULL REFERENCES agents (wallet),
	id      TEXT NOT NULL,
	counted_at INTEGER NOT NULL,
	PRIMARY KEY (wallet, id)
) STRICT;
CREATE INDEX events_counted ON events (counted_at);

CREATE TABLE audit (
	account TEXT NOT NULL REFERENCES accounts (account),
	number  INTEGER NOT NULL,
	time    INTEGER NOT NULL,
	agent   TEXT NOT NULL,
	service TEXT NOT NULL,
	action  TEXT NOT NULL,
	result  TEXT NOT NULL,
	place   TEXT NOT NULL,
	detail  TEXT NOT NULL,
	sha256  TEXT NOT NULL,
	PRIMARY KEY (account, number)
) STRICT;

-- +goose Down
DROP TABLE audit;
DROP TABLE events;
DROP TABLE pairings;
DROP TABLE revisions;
DROP TABLE records;
DROP TABLE tokens;
DROP TABLE sessions;
DROP TABLE identities;
DROP TABLE agents;
DROP TABLE accounts;
DROP TABLE meta;
