package broker

import (
	"context"
)

// Admit decides, before the body of a request is read, whether the bearer has the role that the
// operation requires and has not used up its rate. A request with the returned credentials is not
// counted again. The refusals are those of the operation itself, with a row in the audit trail.
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

// AdmitOpening counts an opening of a pairing before its body is read, or refuses it if its
// network has used up its share.
func (b *Broker) AdmitOpening(c Credentials) (Credentials, error) {
	if wait := b.limits.openings.Take(c.Address, b.now()); wait > 0 {
		return c, slowDown("too many pairings from this network", wait)
	}
	c.admitted = true
	return c, nil
}
