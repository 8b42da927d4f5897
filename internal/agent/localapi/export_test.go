package localapi

// Quota counts connections by the user's number.
type Quota = quota

// NewQuota has none yet.
var NewQuota = newQuota

// Open is open.
func (q *Quota) Open(uid uint32, stranger bool) (func(), bool) { return q.open(uid, stranger) }

// Refuse is refuse.
func (q *Quota) Refuse(uid uint32, stranger bool) (func(), bool) { return q.refuse(uid, stranger) }
