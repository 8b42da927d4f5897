package broker

import (
	"context"
)

// Admit decides, before the body of a request is read, whether the bearer has the role
// that the operation asks for and may ask now; the credentials that it returns are counted
// once. Its refusals are those of the operation itself, a row in the audit included.
func (b *Broker) Admit(ctx context.Context, c Credentials, role string) (Credentials, error) {
	as := b.asOwner
	if role == RoleAgent {
		as = b.asAgent
	}
	if err := as(ctx, c, func(Tx, principal) error { return nil }); err != nil {
		return c, err
	}
	c.admitted = true
	return c, nil
}

// AdmitOpening counts an opening of a pairing, or refuses a network that used up its
// share, before the body is read.
func (b *Broker) AdmitOpening(c Credentials) (Credentials, error) {
	if wait := b.limits.openings.Take(c.Address, b.now()); wait > 0 {
		return c, slowDown("too many pairings from this network", wait)
	}
	c.admitted = true
	return c, nil
}
