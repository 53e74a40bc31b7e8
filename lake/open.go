package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"picket/kql/value"
	"picket/lake/duck"
	"picket/lake/file"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Lake is an open data folder.
type Lake struct {
	o    Options
	lock *os.File

	minAged int64 // rows below which age alone does not seal

	// mu guards what readers and the committer share.
	mu     sync.Mutex
	cond   *sync.Cond // a reader came back, or the database was opened anew
	db     *duck.DB
	own    *os.File // the database file, for copying: closing another handle would drop the lock that DuckDB has on it
	idle   []*duck.Conn
	busy   map[*duck.Conn]context.CancelCauseFunc // lent to snapshots
	down   error                                  // set while no reader may begin
	cat    *catalog
	cats   map[int64]*catalog // by version: the current one and those that snapshots hold
	holds  map[*Snapshot]int64
	sealed int64       // bytes of hot rows that were sealed since the database was last made smaller
	trash  []trashFile // removed from the catalog, still on disk
	marks  map[string]string
	usage  usageMap
	purges map[string]*Purge // never changed, replaced

	// the committer's own
	w             *duck.Conn
	commit        int64
	received      int64 // µs, of the last commit or Settle
	ops           map[opKey]opDone
	journal       int64 // rows in the journal table
	walInode      uint64
	writeSeen     int64 // bytes taken since the last checkpoint
	checkpointTry time.Time
	full          bool  // the last append failed for want of room
	reserve       int64 // room on the disk that appends leave free

	purgeClean   map[string]map[int64]bool // of Run: generations and segments without rows of a purge
	purgeNext    time.Time                 // of Run: when the end of a purge may be tried again
	purgeVersion int64                     // of the catalog in which the last purged rows were gone; with mu
	shrinkNext   time.Time                 // of Run: when the database file is next looked at
	promoteNext  time.Time                 // of Run: when the next segment may be rewritten for a promotion

	in     chan *request
	quit   chan struct{}
	gone   chan struct{} // the committer ended
	wake   chan struct{} // something may be sealed
	events chan Event
	closed sync.Once
	subs   subscribers
}

type trashFile struct {
	path    string
	version int64 // the first version without the file
}

// Open takes the folder, brings it up to date and makes it ready for Append and Snapshot. A folder that another
// process holds is refused with a *[HeldError], one of a newer format with a *[VersionError].
func Open(ctx context.Context, o Options) (*Lake, error) {
	if o.Dir == "" {
		return nil, errors.New("open lake: Options.Dir is empty; name the data folder")
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open lake: %w", err)
	}
	o.Dir = dir
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MemoryLimit <= 0 {
		if o.MemoryLimit = memoryTotal() / 2; o.MemoryLimit <= 0 {
			o.MemoryLimit = 2 << 30
		}
	}
	if o.Threads <= 0 {
		o.Threads = min(2, runtime.NumCPU())
	}
	if o.SealRows <= 0 {
		o.SealRows = 1_000_000
	}
	if o.SealBytes <= 0 {
		o.SealBytes = 512 << 20
	}
	minAged := int64(0)
	if o.SealAge <= 0 {
		o.SealAge, minAged = 24*time.Hour, smallTable
	}
	if o.Files == nil {
		o.Files = file.OS{}
	}
	for _, d := range []string{dir, filepath.Join(dir, "segments"), filepath.Join(dir, "stage"), filepath.Join(dir, "spill")} {
		if err := o.Files.MkdirAll(d); err != nil {
			return nil, fmt.Errorf("open lake: %w", err)
		}
	}
	l := &Lake{
		o: o, cats: map[int64]*catalog{}, holds: map[*Snapshot]int64{}, busy: map[*duck.Conn]context.CancelCauseFunc{},
		in: make(chan *request), quit: make(chan struct{}), gone: make(chan struct{}), wake: make(chan struct{}, 1), events: make(chan Event, eventQueue),
		reserve: reserveBytes, sealed: shrinkFrom, minAged: minAged,
	}
	l.cond = sync.NewCond(&l.mu)
	l.subs.init()
	if l.lock, err = acquire(dir); err != nil {
		return nil, fmt.Errorf("open lake: %w", err)
	}
	if err := l.start(ctx); err != nil {
		l.shut()
		l.lock.Close()
		return nil, fmt.Errorf("open lake %s: %w", dir, err)
	}
	go l.committer()
	go l.subs.run()
	go l.tellEvents()
	return l, nil
}

func (l *Lake) start(ctx context.Context) error {
	if err := l.stamp(); err != nil {
		return err
	}
	for _, d := range []string{"stage", "spill"} {
		if err := file.Empty(l.o.Files, filepath.Join(l.o.Dir, d)); err != nil {
			return err
		}
	}
	if err := l.openDB(ctx); err != nil {
		return err
	}
	return l.sweep()
}

func (l *Lake) dbPath() string { return filepath.Join(l.o.Dir, "lake.duckdb") }

// openDB opens the database and reads its catalog; l.mu need not be held: nobody else has the database.
func (l *Lake) openDB(ctx context.Context) error {
	settings := map[string]string{
		"memory_limit":                 strconv.FormatInt(l.o.MemoryLimit>>20, 10) + "MiB",
		"threads":                      strconv.Itoa(l.o.Threads),
		"temp_directory":               filepath.Join(l.o.Dir, "spill"),
		"preserve_insertion_order":     "false",
		"wal_autocheckpoint":           "4GB", // the committer checkpoints
		"autoinstall_known_extensions": "false",
		"autoload_known_extensions":    "false",
	}
	db, err := duck.Open(l.dbPath(), settings)
	if err != nil {
		mended, merr := l.mendLog(err)
		if merr != nil {
			return errors.Join(merr, err)
		}
		if !mended {
			return err
		}
		if db, err = duck.Open(l.dbPath(), settings); err != nil {
			return err
		}
	}
	own, err := os.Open(l.dbPath())
	if err != nil {
		db.Close()
		return err
	}
	w, err := db.Conn()
	if err != nil {
		db.Close()
		own.Close()
		return err
	}
	_, err = w.Exec(ctx, fmt.Sprintf(`SET GLOBAL TimeZone='UTC'; SET GLOBAL parquet_metadata_cache=true; SET GLOBAL allowed_directories=[%s]; SET GLOBAL enable_external_access=false; SET GLOBAL lock_configuration=true`, duck.Text(l.o.Dir+string(filepath.Separator))))
	if err == nil {
		err = l.load(ctx, w)
	}
	if err == nil {
		err = l.o.Files.Sync(l.o.Dir) // the names of a new database and its log
	}
	if err != nil {
		w.Close()
		db.Close()
		own.Close()
		return err
	}
	l.mu.Lock()
	l.db, l.w, l.own = db, w, own
	l.mu.Unlock()
	l.walInode = inode(l.dbPath() + ".wal")
	l.writeSeen = fileSize(l.dbPath() + ".wal")
	return nil
}

// load reads the catalog, the last commit, the marks and the applied ids.
func (l *Lake) load(ctx context.Context, c *duck.Conn) error {
	if err := l.upgrade(ctx, c); err != nil {
		return err
	}
	cat := emptyCatalog()
	err := c.Query(ctx, `SELECT next_id, journal FROM lake_counter`, nil, longs("next_id", "journal"), func(f *value.Frame) error {
		cat.nextID, cat.journal = f.Vecs[0].I[0], f.Vecs[1].I[0]
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	if err := l.loadPurges(ctx, c); err != nil {
		return fmt.Errorf("read the purges: %w", err)
	}
	byID := map[int64]*tableDef{}
	err = c.Query(ctx, `SELECT def FROM lake_table ORDER BY id`, nil, texts("def"), func(f *value.Frame) error {
		for _, s := range f.Vecs[0].S {
			t := &tableDef{shown: &shown{}}
			if err := json.Unmarshal([]byte(s), t); err != nil {
				return err
			}
			for _, g := range t.Gens {
				g.live = &genLive{}
			}
			byID[t.ID] = t
			cat.tables[t.Name], cat.foldName[strings.ToLower(t.Name)] = t, t.Name
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	schema := append(longs("table_id"), texts("def")...)
	err = c.Query(ctx, `SELECT table_id, def FROM lake_segment ORDER BY id`, nil, schema, func(f *value.Frame) error {
		for i, s := range f.Vecs[1].S {
			seg := &segment{}
			if err := json.Unmarshal([]byte(s), seg); err != nil {
				return err
			}
			if t := byID[f.Vecs[0].I[i]]; t != nil {
				t.Segs = append(t.Segs, seg)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	for _, t := range cat.tables {
		for _, g := range t.Gens {
			q := fmt.Sprintf(`SELECT count(*), coalesce(epoch_us(max("%s")), 0) FROM %s`, ColReceived, g.table())
			err := c.Query(ctx, q, nil, longs("n", "r"), func(f *value.Frame) error {
				g.live.rows.Store(f.Vecs[0].I[0])
				g.live.bytes.Store(f.Vecs[0].I[0] * int64(len(g.Columns)) * 16)
				g.live.received.Store(f.Vecs[1].I[0])
				return nil
			})
			if err != nil {
				return fmt.Errorf("count the hot rows of %s: %w", t.Name, err)
			}
		}
	}
	if err := l.loadJournal(ctx, c, cat); err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	l.mu.Lock()
	l.cat = cat
	l.cats = map[int64]*catalog{cat.version: cat}
	l.mu.Unlock()
	return nil
}

// sweep removes the files that no catalog entry names: what a crash left between a file and its commit.
func (l *Lake) sweep() error {
	known := map[string]bool{}
	for _, t := range l.cat.tables {
		for _, s := range t.Segs {
			known[filepath.Join(l.o.Dir, s.Path)] = true
		}
	}
	root := filepath.Join(l.o.Dir, "segments")
	var dirs []string
	removed := 0
	err := file.Walk(l.o.Files, root, func(path string, isDir bool) error {
		if isDir {
			dirs = append(dirs, path)
			return nil
		}
		if known[path] {
			delete(known, path)
			return nil
		}
		removed++
		return l.o.Files.Remove(path)
	})
	if err != nil {
		return fmt.Errorf("sweep old files: %w", err)
	}
	if removed > 0 {
		slog.Info("lake: files that no table has were removed; a crash left them", "files", removed)
	}
	if len(known) > 0 {
		var miss []string
		for p := range known {
			miss = append(miss, p)
		}
		sort.Strings(miss)
		return fmt.Errorf("%d segment files are missing, the first is %s; put them back from a backup", len(miss), miss[0])
	}
	sort.Sort(sort.Reverse(sort.StringSlice(dirs)))
	for _, d := range dirs {
		_ = l.o.Files.Remove(d) // only when it is empty
	}
	return nil
}

// Close ends all work and releases the folder. Appends that were not begun get ErrClosed, queries are interrupted.
// Snapshots must be closed by who took them; when one is not within half a minute, Close is an error, the folder
// stays taken, and Close may be called again.
func (l *Lake) Close() error {
	l.closed.Do(func() {
		close(l.quit)
		<-l.gone
		l.subs.stop()
	})
	if err := l.drain(ErrClosed, 30*time.Second); err != nil {
		return fmt.Errorf("close the lake: %w", err)
	}
	if l.cat != nil {
		if err := l.unlink(); err != nil {
			slog.Warn("lake: old files stay until the next start", "error", err)
		}
	}
	l.shut()
	if err := l.lock.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("close the lake: %w", err)
	}
	return nil
}

// drain takes the database from the readers: their queries end with cause. It waits for them to give back.
func (l *Lake) drain(cause error, limit time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = cause
	t := time.AfterFunc(limit, func() { l.cond.Broadcast() })
	defer t.Stop()
	until := time.Now().Add(limit)
	for len(l.busy) > 0 {
		for _, cancel := range l.busy {
			cancel(cause)
		}
		if !time.Now().Before(until) {
			return fmt.Errorf("%d snapshots are still open", len(l.busy))
		}
		l.cond.Wait()
	}
	return nil
}

// shut closes connections and database.
func (l *Lake) shut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.idle {
		c.Close()
	}
	l.idle = nil
	if l.w != nil {
		l.w.Close()
		l.w = nil
	}
	if l.db != nil {
		l.db.Close()
		l.own.Close()
		l.db, l.own = nil, nil
	}
}

func longs(names ...string) (s value.Schema) {
	for _, n := range names {
		s = append(s, value.Column{Name: n, Type: value.Long})
	}
	return s
}

func texts(names ...string) (s value.Schema) {
	for _, n := range names {
		s = append(s, value.Column{Name: n, Type: value.String})
	}
	return s
}

func fileSize(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.Size()
}
