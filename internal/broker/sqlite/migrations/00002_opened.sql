-- +goose Up
-- The epoch in which the owner opened the account: another one than the database's
-- means that the database was put back since, and that the account waits for its owner.
ALTER TABLE accounts ADD COLUMN epoch TEXT NOT NULL DEFAULT '';
UPDATE accounts SET epoch = coalesce((SELECT value FROM meta WHERE key = 'epoch'), '');

-- +goose Down
ALTER TABLE accounts DROP COLUMN epoch;
