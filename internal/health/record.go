package health

import (
	"time"

	"github.com/agentkeys/agentkeys/internal/words"
)

// Probe counts one probe of the keychain, which took so many seconds and found that state.
func (m *Metrics) Probe(provider string, found words.KeychainState, seconds float64) {
	m.probe.WithLabelValues(m.labels.provider.fit(provider), m.labels.state.fit(string(found))).Observe(seconds)
	if found == words.KeychainHung {
		m.probeTimeouts.Inc()
	}
}

// KeychainState says which state the keychain is in.
func (m *Metrics) KeychainState(state words.KeychainState) { m.keychainState.set(string(state)) }

// StorageBackend says where the session is stored.
func (m *Metrics) StorageBackend(backend words.Backend) { m.backend.set(string(backend)) }

// StoreOperation counts a call of the store.
func (m *Metrics) StoreOperation(operation string, backend words.Backend, result words.StoreResult) {
	m.operations.WithLabelValues(
		m.labels.operation.fit(operation), m.labels.backend.fit(string(backend)), m.labels.storeResult.fit(string(result)),
	).Inc()
}

// StoreFallback counts a save that went to the file instead of the keychain.
func (m *Metrics) StoreFallback(reason string) {
	m.fallbacks.WithLabelValues(m.labels.fallback.fit(reason)).Inc()
}

// StoreInDoubt says whether a change of the keychain is unconfirmed.
func (m *Metrics) StoreInDoubt(inDoubt bool) { m.inDoubt.Set(number(inDoubt)) }

// StateWrite counts one durable write to the state directory.
func (m *Metrics) StateWrite() { m.stateWrites.Inc() }

// Session reports the loaded session; expiresAt is in Unix seconds, 0 without a session.
func (m *Metrics) Session(generation uint64, expiresAt int64) {
	m.generation.Set(float64(generation))
	m.expiry.Set(float64(expiresAt))
}

// Renewal counts a renewal; result is "ok", "error" or the broker's code.
func (m *Metrics) Renewal(result string) {
	m.renewals.WithLabelValues(m.labels.renewal.fit(result)).Inc()
}

// BrokerRequest counts a request to the broker; it fits brokerclient's Observe.
func (m *Metrics) BrokerRequest(operation, code string, d time.Duration) {
	m.broker.WithLabelValues(m.labels.request.fit(operation), m.labels.code.fit(code)).Observe(d.Seconds())
}

// BrokerUp says whether the last request reached the broker.
func (m *Metrics) BrokerUp(up bool) { m.brokerUp.Set(number(up)) }

// Synced says when the broker last answered, in Unix seconds; 0 for never.
func (m *Metrics) Synced(unix int64) { m.lastSync.Set(float64(unix)) }

// ClockOffset is the broker's clock minus this machine's, in seconds.
func (m *Metrics) ClockOffset(seconds float64) { m.clockOffset.Set(seconds) }

// CredentialRequest counts a local request; iface is the socket's file name.
func (m *Metrics) CredentialRequest(iface, result string, d time.Duration) {
	m.requests.WithLabelValues(m.labels.iface.fit(iface), m.labels.requestResult.fit(result)).Inc()
	m.requestTime.Observe(d.Seconds())
}

// Lease is how long the instance has been without its broker, and how long it may serve so.
func (m *Metrics) Lease(used, allowed time.Duration) {
	m.leaseUsed.Set(used.Seconds())
	m.lease.Set(allowed.Seconds())
}

// Credentials is how many credentials can be served now.
func (m *Metrics) Credentials(n int) { m.credentials.Set(float64(n)) }

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
