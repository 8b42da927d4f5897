package store_test

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/agentkeys/agentkeys/internal/atomicfile"
	"github.com/agentkeys/agentkeys/internal/session"
	"github.com/agentkeys/agentkeys/internal/store"
	"github.com/agentkeys/agentkeys/internal/store/storetest"
)

// naive is what many programs do: the keychain, else a file. Its file handling is
// ours, so only the rule itself is on trial.
type naive struct {
	fs       atomicfile.FS
	keychain store.Keychain
}

const naiveHome = "/home/pi/.naive"

func naiveMaker(m *machine, p *storetest.Process) subject {
	return naive{fs: p, keychain: m.ring.Client(p)}
}

func (n naive) Save(ctx context.Context, id session.ID, v session.Session) (store.Info, error) {
	payload, err := v.Encode()
	if err != nil {
		return store.Info{}, err
	}
	if n.keychain.Put(ctx, id.String(), string(payload)) == nil {
		return store.Info{}, nil
	}
	if err := n.fs.MakeDir(naiveHome, 0o700); err != nil {
		return store.Info{}, err
	}
	dir, err := n.fs.OpenDir(naiveHome)
	if err != nil {
		return store.Info{}, err
	}
	return store.Info{}, atomicfile.Write(dir, id.String(), payload)
}

func (n naive) Load(ctx context.Context, id session.ID) (session.Session, store.Info, error) {
	text, err := n.keychain.Get(ctx, id.String())
	if err != nil {
		text, err = n.file(id)
	}
	if err != nil {
		return session.Session{}, store.Info{}, err
	}
	v, err := session.Decode([]byte(text))
	return v, store.Info{}, err
}

func (n naive) file(id session.ID) (string, error) {
	dir, err := n.fs.OpenDir(naiveHome)
	if err != nil {
		return "", naiveError(err)
	}
	f, err := dir.Open(id.String())
	if err != nil {
		return "", naiveError(err)
	}
	data, err := io.ReadAll(f)
	return string(data), err
}

func naiveError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return store.ErrNoSession
	}
	return err
}

func (n naive) Delete(ctx context.Context, id session.ID) error {
	err := n.keychain.Delete(ctx, id.String())
	if dir, openErr := n.fs.OpenDir(naiveHome); openErr == nil {
		_ = dir.Remove(id.String()) // as good as such programs are
		err = errors.Join(err, dir.Sync())
	}
	return err
}

func (n naive) SaveOver(ctx context.Context, id session.ID, _ uint64, v session.Session) (store.Info, error) {
	return n.Save(ctx, id, v)
}

func (n naive) Promote(ctx context.Context, pending, id session.ID, v session.Session) (store.Info, error) {
	info, err := n.Save(ctx, id, v)
	if err == nil {
		err = n.Delete(ctx, pending)
	}
	return info, err
}

func (n naive) ReconcileSlot(context.Context, session.ID) error { return nil }
