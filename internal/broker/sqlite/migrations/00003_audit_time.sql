-- +goose Up
-- `usage --since` begins at a row without a look at the older ones.
CREATE INDEX audit_time ON audit (account, time, number);

-- +goose Down
DROP INDEX audit_time;
