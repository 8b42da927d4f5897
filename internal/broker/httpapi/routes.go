package httpapi

import (
	"net/http"
	"strconv"

	"github.com/agentkeys/agentkeys/internal/broker"
	"github.com/agentkeys/agentkeys/internal/protocol"
	"github.com/agentkeys/agentkeys/internal/wallet"
)

type methods = map[string]operation

// routes is the whole of /v1.
func (a *API) routes() map[string]methods {
	return map[string]methods{
		"/v1/info":                              {http.MethodGet: a.info},
		"/v1/accounts":                          {http.MethodPost: a.createAccount},
		"/v1/accounts/open":                     {http.MethodPost: a.openAccount},
		"/v1/pairings":                          {http.MethodPost: a.openPairing, http.MethodGet: a.pairings},
		"/v1/pairings/self":                     {http.MethodGet: a.pollPairing},
		"/v1/pairings/find":                     {http.MethodPost: a.findPairing},
		"/v1/pairings/approve":                  {http.MethodPost: a.approvePairing},
		"/v1/pairings/deny":                     {http.MethodPost: a.denyPairing},
		"/v1/session":                           {http.MethodGet: a.session, http.MethodDelete: a.endSession},
		"/v1/session/renew":                     {http.MethodPost: a.renew},
		"/v1/session/resume":                    {http.MethodPost: a.resume},
		"/v1/agents":                            {http.MethodGet: a.agents},
		"/v1/agents/{wallet}":                   {http.MethodGet: a.agent, http.MethodDelete: a.teardown},
		"/v1/agents/{wallet}/session":           {http.MethodDelete: a.revoke},
		"/v1/agents/{wallet}/reopen":            {http.MethodPost: a.reopen},
		"/v1/agents/{wallet}/manifest":          {http.MethodGet: a.manifest, http.MethodPut: a.putManifest},
		"/v1/agents/{wallet}/records":           {http.MethodGet: a.records},
		"/v1/agents/{wallet}/records/{service}": {http.MethodGet: a.oneRecord},
		"/v1/agent/sync":                        {http.MethodGet: a.sync},
		"/v1/agent/report":                      {http.MethodPost: a.report},
		"/v1/identities/{identity}":             {http.MethodGet: a.identity},
		"/v1/audit":                             {http.MethodGet: a.audit},
	}
}

// reply is the answer of an operation that only reads: 200 and the document.
func reply[T any](body T, err error) (int, any, error) { return http.StatusOK, body, err }

// withoutBody handles a request without parameters and body that reads.
func withoutBody[Out any](r *request, f func(broker.Credentials) (Out, error)) (int, any, error) {
	if _, err := r.query(); err != nil {
		return 0, nil, err
	}
	return reply(f(r.credentials()))
}

// ofWallet is withoutBody for paths that name a wallet.
func ofWallet[Out any](r *request, f func(broker.Credentials, wallet.Wallet) (Out, error)) (int, any, error) {
	if _, err := r.query(); err != nil {
		return 0, nil, err
	}
	w, err := r.wallet()
	if err != nil {
		return 0, nil, err
	}
	return reply(f(r.credentials(), w))
}

// deleteOfWallet is ofWallet for operations that answer 204.
func deleteOfWallet(r *request, f func(broker.Credentials, wallet.Wallet) error) (int, any, error) {
	_, _, err := ofWallet(r, func(c broker.Credentials, w wallet.Wallet) (struct{}, error) { return struct{}{}, f(c, w) })
	return http.StatusNoContent, nil, err
}

func (a *API) info(r *request) (int, any, error) {
	return withoutBody(r, func(broker.Credentials) (protocol.Info, error) { return a.broker.Info(), nil })
}

func (a *API) createAccount(r *request) (int, any, error) {
	return withBody(r, accountBody, a.anybody, http.StatusCreated, func(c broker.Credentials, in protocol.Account) (protocol.SessionInfo, error) {
		return a.broker.CreateAccount(r.Context(), c, in)
	})
}

func (a *API) openPairing(r *request) (int, any, error) {
	return withBody(r, requestBody, a.boards, http.StatusCreated, func(c broker.Credentials, in protocol.OpenPairing) (protocol.PairingOpened, error) {
		return a.broker.OpenPairing(r.Context(), c, in)
	})
}

func (a *API) pairings(r *request) (int, any, error) {
	return withoutBody(r, func(c broker.Credentials) (protocol.PairingList, error) { return a.broker.Pairings(r.Context(), c) })
}

func (a *API) pollPairing(r *request) (int, any, error) {
	wait, err := r.wait()
	if err != nil {
		return 0, nil, err
	}
	granted, open, err := a.broker.PollPairing(r.Context(), r.credentials(), wait)
	if err != nil || granted == nil {
		return http.StatusAccepted, open, err
	}
	return http.StatusOK, granted, nil
}

func (a *API) findPairing(r *request) (int, any, error) {
	return withBody(r, proofBody, a.ownersOnly, http.StatusOK, func(c broker.Credentials, in protocol.FindPairing) (protocol.FoundPairing, error) {
		return a.broker.FindPairing(r.Context(), c, in)
	})
}

func (a *API) approvePairing(r *request) (int, any, error) {
	return withBody(r, recordsBody, a.ownersOnly, http.StatusOK, func(c broker.Credentials, in protocol.ApprovePairing) (protocol.PairingEntry, error) {
		return a.broker.ApprovePairing(r.Context(), c, in)
	})
}

func (a *API) denyPairing(r *request) (int, any, error) {
	return withBody(r, proofBody, a.ownersOnly, http.StatusOK, func(c broker.Credentials, in protocol.DenyPairing) (protocol.PairingEntry, error) {
		return a.broker.DenyPairing(r.Context(), c, in)
	})
}

func (a *API) session(r *request) (int, any, error) {
	return withoutBody(r, func(c broker.Credentials) (protocol.SessionInfo, error) { return a.broker.Session(r.Context(), c) })
}

func (a *API) endSession(r *request) (int, any, error) {
	end := func(c broker.Credentials, in protocol.EndSession) (struct{}, error) {
		return struct{}{}, a.broker.EndSession(r.Context(), c, in)
	}
	var err error
	if r.ContentLength == 0 { // an owner's request has no body
		_, _, err = withoutBody(r, func(c broker.Credentials) (struct{}, error) { return end(c, protocol.EndSession{}) })
	} else {
		_, _, err = withBody(r, proofBody, a.anybody, 0, end)
	}
	return http.StatusNoContent, nil, err
}

func (a *API) renew(r *request) (int, any, error) {
	return withBody(r, proofBody, a.anybody, http.StatusOK, func(c broker.Credentials, in protocol.Renew) (protocol.SessionInfo, error) {
		return a.broker.Renew(r.Context(), c, in)
	})
}

func (a *API) resume(r *request) (int, any, error) {
	return withBody(r, proofBody, a.anybody, http.StatusOK, func(c broker.Credentials, in protocol.Resume) (protocol.SessionInfo, error) {
		return a.broker.Resume(r.Context(), c, in)
	})
}

func (a *API) agents(r *request) (int, any, error) {
	cursor, err := r.cursor()
	if err != nil {
		return 0, nil, err
	}
	return reply(a.broker.Agents(r.Context(), r.credentials(), cursor))
}

func (a *API) agent(r *request) (int, any, error) {
	return ofWallet(r, func(c broker.Credentials, w wallet.Wallet) (protocol.Agent, error) {
		return a.broker.Agent(r.Context(), c, w)
	})
}

func (a *API) teardown(r *request) (int, any, error) {
	return deleteOfWallet(r, func(c broker.Credentials, w wallet.Wallet) error { return a.broker.Teardown(r.Context(), c, w) })
}

func (a *API) revoke(r *request) (int, any, error) {
	return deleteOfWallet(r, func(c broker.Credentials, w wallet.Wallet) error { return a.broker.Revoke(r.Context(), c, w) })
}

func (a *API) openAccount(r *request) (int, any, error) {
	_, _, err := withBody(r, proofBody, a.ownersOnly, 0, func(c broker.Credentials, in protocol.OpenAccount) (struct{}, error) {
		return struct{}{}, a.broker.OpenAccount(r.Context(), c, in)
	})
	return http.StatusNoContent, nil, err
}

func (a *API) reopen(r *request) (int, any, error) {
	w, err := r.wallet()
	if err != nil {
		return 0, nil, err
	}
	_, _, err = withBody(r, proofBody, a.ownersOnly, 0, func(c broker.Credentials, in protocol.Reopen) (struct{}, error) {
		return struct{}{}, a.broker.Reopen(r.Context(), c, w, in)
	})
	return http.StatusNoContent, nil, err
}

func (a *API) manifest(r *request) (int, any, error) {
	return a.tagged(ofWallet(r, func(c broker.Credentials, w wallet.Wallet) (protocol.ManifestReply, error) {
		return a.broker.Manifest(r.Context(), c, w)
	}))(r)
}

func (a *API) putManifest(r *request) (int, any, error) {
	w, err := r.wallet()
	if err != nil {
		return 0, nil, err
	}
	revision, err := r.ifMatch()
	if err != nil {
		return 0, nil, err
	}
	return a.tagged(withBody(r, recordsBody, a.ownersOnly, http.StatusOK, func(c broker.Credentials, in protocol.PutManifest) (protocol.ManifestReply, error) {
		return a.broker.PutManifest(r.Context(), c, w, revision, in)
	}))(r)
}

// tagged puts the revision of a manifest into the ETag, for If-Match.
func (a *API) tagged(status int, body any, err error) operation {
	return func(r *request) (int, any, error) {
		if m, ok := body.(protocol.ManifestReply); ok && err == nil {
			r.w.Header().Set("ETag", `"`+strconv.FormatUint(m.Revision, 10)+`"`)
		}
		return status, body, err
	}
}

func (a *API) records(r *request) (int, any, error) {
	return ofWallet(r, func(c broker.Credentials, w wallet.Wallet) (protocol.RecordList, error) {
		return a.broker.Records(r.Context(), c, w)
	})
}

func (a *API) oneRecord(r *request) (int, any, error) {
	return ofWallet(r, func(c broker.Credentials, w wallet.Wallet) (protocol.SealedRecord, error) {
		return a.broker.Record(r.Context(), c, w, r.PathValue("service"))
	})
}

func (a *API) sync(r *request) (int, any, error) {
	wait, err := r.wait()
	if err != nil {
		return 0, nil, err
	}
	out, etag, known, err := a.broker.Sync(r.Context(), r.credentials(), r.Header.Get("If-None-Match"), wait)
	if err != nil {
		return 0, nil, err
	}
	r.w.Header().Set("ETag", etag)
	if !known {
		return http.StatusNotModified, nil, nil
	}
	return http.StatusOK, out, nil
}

func (a *API) report(r *request) (int, any, error) {
	_, _, err := withBody(r, reportBody, a.agentsOnly, 0, func(c broker.Credentials, in protocol.Report) (struct{}, error) {
		return struct{}{}, a.broker.Report(r.Context(), c, in)
	})
	return http.StatusNoContent, nil, err
}

func (a *API) identity(r *request) (int, any, error) {
	return withoutBody(r, func(c broker.Credentials) (protocol.Identity, error) {
		return a.broker.Resolve(r.Context(), c, r.PathValue("identity"))
	})
}

func (a *API) audit(r *request) (int, any, error) {
	q, err := r.auditQuery()
	if err != nil {
		return 0, nil, err
	}
	return reply(a.broker.Audit(r.Context(), r.credentials(), q))
}
