package session

import "time"

// RenewEvery is the nominal time between renewals. Each renewal is moved by up to 10 %, so
// that boards that were switched on at the same time do not renew at the same time.
const RenewEvery = 24 * time.Hour

// RenewAfter is how long after the last renewal the next one is due. jitter is in
// [0,1): 0 is 10 % early, 1 is 10 % late.
func RenewAfter(jitter float64) time.Duration {
	return RenewEvery - RenewEvery/10 + time.Duration(jitter*float64(RenewEvery/5))
}

// RenewIn is how long to wait before the next renewal of a session that was created or last
// renewed at createdAt. The local clock only schedules: where it jumped by years, either
// way, the wait is between zero and one full interval.
func RenewIn(createdAt, now int64, jitter float64) time.Duration {
	interval := RenewAfter(jitter)
	age := time.Duration(min(max(now-createdAt, -1), 1<<31)) * time.Second
	if age < 0 {
		return interval
	}
	return max(interval-age, 0)
}
