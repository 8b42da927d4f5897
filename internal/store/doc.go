// Package store keeps one session in each slot: in the keychain of the machine where that
// works, else in a file, and never in both. A slot is named by a session id, for example
// master or daemon-0x5a.., and is one directory (package slotdir) with the head file
// session.json, which says what the slot holds and where.
//
// It guarantees, also when the power fails at any moment, when several processes use the
// slot at once, and when the keychain hangs, denies what it has done or does it minutes
// later:
//
//   - a session whose Save returned is what Load gives, or one that was saved after it;
//   - a session whose Delete returned does not come back;
//   - ErrNoSession means that nothing was saved or that it was deleted, and nothing else;
//   - every call ends by its deadline: 5 s for the lock, 2 s for each keychain operation.
//
// The caller makes one Store with New, saves with Save (or with SaveOver, if it changes what
// it has read), and calls ReconcileSlot at the start and then about every 30 s, which
// finishes what was cut off and moves a session from the file to the keychain. A pairing is
// saved in a pending slot first and becomes the session of its wallet by Promote. What the
// caller does on each error stands in errors.go; only ErrNoSession may lead to a pairing.
//
// # How a save to the keychain works
//
// A keychain operation that failed may still be done later: a put that timed out after 2 s
// was seen to arrive after 5 s, when the user typed the password. An operation that
// succeeded may not have been done. So each save has a number, its generation, which is
// never used twice, and the head decides which generation is the present one:
//
//	announce  write to the head that generation n is on its way, with a fence
//	put       hand generation n to the keychain
//	verify    read it back and compare
//	commit    write to the head that n is the present generation; the fence is removed
//	abandon   where put or verify failed: n is never committed, and the fence stays
//
// After it abandoned n, a save in auto mode writes the session to the file, as generation
// n+1. If the put of n arrives later, its number shows that it is not the present one.
//
// The fence names the provider (the keychain's process) that was given the operation, and
// stands until that provider has ended: until then it may still do what it was asked for,
// over anything that is put there in between. So a save does not use the keychain while a
// fence stands. docs/spec/architecture.md#the-session-store has the whole of it, and
// ADR 3 and ADR 10 have the reasons.
//
// # States of a slot
//
// The tables are read by a test, which brings a real store into each state and through each
// transition (TestTransitions). The state follows from the head file: from what it holds,
// from whether a newer value is announced (pending), and from what it notes of the keychain,
// which is that an older value may be there (note), that one look after a delete found
// nothing (removed), or that an operation is in doubt (fence). The last two columns are what
// Load answers while the keychain is healthy, and while it is locked.
//
//	state            head            pending  keychain         Load          locked
//	absent           none            no       -                ErrNoSession  ErrUnavailable
//	first            generation 0    yes      fence            ErrNoSession  ErrUnavailable
//	keychain         where keychain  no       note             session       ErrUnavailable
//	keychain-new     where keychain  yes      fence            session       ErrUnavailable
//	keychain-fenced  where keychain  no       fence            session       ErrUnavailable
//	file             where file      no       -                session       session
//	file-old         where file      no       note or removed  session       session
//	file-new         where file      yes      fence            session       session
//	file-fenced      where file      no       fence            session       session
//	deleted          tombstone       no       -                ErrNoSession  ErrNoSession
//	deleted-old      tombstone       no       note             ErrNoSession  ErrNoSession
//	deleted-once     tombstone       no       removed          ErrNoSession  ErrNoSession
//	deleted-new      tombstone       yes      fence            ErrNoSession  ErrNoSession
//	deleted-fenced   tombstone       no       fence            ErrNoSession  ErrNoSession
//	corrupt          set aside       no       -                ErrCorrupt    ErrCorrupt
//
// In the state first the announced value is the session once the keychain shows it; in
// keychain-new Load accepts the old value and the announced one. In the state absent a
// session of an earlier version, or of another program, is adopted where there is one. There
// ErrUnavailable is for a wallet's slot, and for a keychain that is locked or does not answer;
// in any other state that cannot be read, and for any other slot, Load answers ErrNoSession.
//
// A save in auto mode: the keychain is healthy; it is locked; it does not answer the put; or
// the process ends at the put. A dot is a state that does not change.
//
//	state            save         save-locked  save-hung    save-cut
//	absent           keychain     file         file-fenced  first
//	first            file-fenced  file-fenced  file-fenced  file-fenced
//	keychain         .            file-old     file-fenced  keychain-new
//	keychain-new     file-fenced  file-fenced  file-fenced  file-fenced
//	keychain-fenced  file-fenced  file-fenced  file-fenced  file-fenced
//	file             keychain     .            file-fenced  file-new
//	file-old         keychain     .            file-fenced  file-new
//	file-new         file-fenced  file-fenced  file-fenced  file-fenced
//	file-fenced      .            .            .            .
//	deleted          keychain     file         file-fenced  deleted-new
//	deleted-old      keychain     file-old     file-fenced  deleted-new
//	deleted-once     keychain     file-old     file-fenced  deleted-new
//	deleted-new      file-fenced  file-fenced  file-fenced  file-fenced
//	deleted-fenced   file-fenced  file-fenced  file-fenced  file-fenced
//	corrupt          file-fenced  file-fenced  file-fenced  file-fenced
//
// A save in keychain mode, which never writes a payload to a file: where it fails it returns
// an error, and what was committed before stays in force.
//
//	state            only-save  only-locked  only-hung
//	absent           keychain   .            first
//	first            .          .            .
//	keychain         .          .            keychain-new
//	keychain-new     .          .            .
//	keychain-fenced  .          .            .
//	file             keychain   .            file-new
//	file-old         keychain   .            file-new
//	file-new         .          .            .
//	file-fenced      .          .            .
//	deleted          keychain   .            deleted-new
//	deleted-old      keychain   .            deleted-new
//	deleted-once     keychain   .            deleted-new
//	deleted-new      .          .            .
//	deleted-fenced   .          .            .
//	corrupt          keychain   .            first
//
// A delete: the keychain is healthy; it is locked; or it does not answer the delete.
//
//	state            delete          delete-locked   delete-hung
//	absent           .               .               .
//	first            deleted-fenced  deleted-fenced  deleted-fenced
//	keychain         deleted-once    deleted-old     deleted-fenced
//	keychain-new     deleted-fenced  deleted-fenced  deleted-fenced
//	keychain-fenced  deleted-fenced  deleted-fenced  deleted-fenced
//	file             deleted         deleted         deleted
//	file-old         deleted-once    deleted-old     deleted-fenced
//	file-new         deleted-fenced  deleted-fenced  deleted-fenced
//	file-fenced      deleted-fenced  deleted-fenced  deleted-fenced
//	deleted          .               .               .
//	deleted-old      deleted-once    .               deleted-fenced
//	deleted-once     .               .               .
//	deleted-new      deleted-fenced  deleted-fenced  deleted-fenced
//	deleted-fenced   .               .               .
//	corrupt          deleted-fenced  deleted-fenced  deleted-fenced
//
// Load, and the first Reconcile of a process, with a healthy keychain: as the slot was left;
// after the operation in doubt was done late; after the provider was replaced, before and
// after the operation was done. A dash is where no operation is in doubt.
//
//	state            load  load-late        reconcile     reconcile-late  replaced      replaced-late
//	absent           .     -                .             -               .             -
//	first            .     keychain-fenced  .             .               deleted       keychain
//	keychain         .     -                .             -               .             -
//	keychain-new     .     .                .             .               keychain      keychain
//	keychain-fenced  .     -                .             -               keychain      -
//	file             .     -                keychain      -               keychain      -
//	file-old         .     -                keychain      -               keychain      -
//	file-new         .     .                .             .               keychain      keychain
//	file-fenced      .     .                .             .               keychain      keychain
//	deleted          .     -                .             -               .             -
//	deleted-old      .     -                deleted-once  -               deleted-once  -
//	deleted-once     .     -                deleted       -               deleted       -
//	deleted-new      .     .                .             .               deleted       deleted-once
//	deleted-fenced   .     .                .             .               deleted-once  deleted
//	corrupt          .     -                .             -               .             -
package store
