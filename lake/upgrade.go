package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"picket/kql/value"
	"picket/lake/duck"
	"picket/lake/file"
	"strconv"
	"strings"
)

// Format is the version of a data folder that this program writes. A folder says its version twice: in the file
// FORMAT, which is read before anything else and raised first, so that an older program keeps off a folder that is
// half upgraded; and in the database, which is raised by each step in the transaction of that step.
//
//	1  tables, segments, journal
//	2  promotions and archive in the definitions, counters of usage in the journal, lake_format, lake_purge
const Format = 2

// stamp checks the format of the folder, and writes it where it is not the newest.
func (l *Lake) stamp() error {
	path := filepath.Join(l.o.Dir, "FORMAT")
	b, err := l.o.Files.ReadFile(path)
	have := 0
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if fileSize(l.dbPath()) > 0 { // FORMAT comes before the database, and last in a copy
			return fmt.Errorf("%s has a database and no file FORMAT: it is a copy that was not finished; use another one", l.o.Dir)
		}
	case err != nil:
		return fmt.Errorf("read the folder's format: %w", err)
	default:
		if have, err = strconv.Atoi(strings.TrimSpace(string(b))); err != nil || have < 1 {
			return fmt.Errorf("%s holds %.40q, which is no format number; put the folder back from a backup", path, b)
		}
	}
	switch {
	case have > Format:
		return &VersionError{Dir: l.o.Dir, Have: have, Can: Format}
	case have < Format:
		if err := file.Replace(l.o.Files, path, []byte(strconv.Itoa(Format)+"\n")); err != nil {
			return fmt.Errorf("stamp the folder: %w", err)
		}
	}
	return nil
}

// baseSQL is format 1.
const baseSQL = `BEGIN;
CREATE TABLE lake_table(id BIGINT, def VARCHAR);
CREATE TABLE lake_segment(id BIGINT, table_id BIGINT, def VARCHAR);
CREATE TABLE lake_counter(next_id BIGINT, journal BIGINT);
CREATE TABLE journal_1` + journalColumns + `;
INSERT INTO lake_counter VALUES (1, 1);
CREATE VIEW lake_head AS SELECT max("commit") AS c, max(received) AS r, max(version) AS v FROM journal_1;
COMMIT`

// steps are the statements that take the database from format i+1 to i+2.
func steps() []string {
	return []string{
		`CREATE TABLE lake_format(version BIGINT); INSERT INTO lake_format VALUES (1); CREATE TABLE lake_purge(id VARCHAR, def VARCHAR)`,
	}
}

// upgrade makes the database, or takes it to this program's format step by step. After a crash it goes on where it
// was.
func (l *Lake) upgrade(ctx context.Context, c *duck.Conn) error {
	has := map[string]bool{}
	err := c.Query(ctx, `SELECT table_name FROM duckdb_tables() WHERE NOT internal`, nil, texts("n"), func(f *value.Frame) error {
		for _, n := range f.Vecs[0].S {
			has[n] = true
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the catalog: %w", err)
	}
	isNew := !has["lake_counter"]
	if isNew {
		if _, err := c.Exec(ctx, baseSQL); err != nil {
			return fmt.Errorf("make the catalog: %w", err)
		}
	}
	version := int64(1)
	if has["lake_format"] {
		err := c.Query(ctx, `SELECT version FROM lake_format`, nil, longs("v"), func(f *value.Frame) error {
			version = f.Vecs[0].I[0]
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the format of the database: %w", err)
		}
	}
	if version > Format {
		return &VersionError{Dir: l.o.Dir, Have: int(version), Can: Format}
	}
	for ; version < Format; version++ {
		step := fmt.Sprintf(`BEGIN; %s; UPDATE lake_format SET version = %d`, steps()[version-1], version+1)
		_, err := c.Exec(ctx, step)
		if err == nil {
			err = l.fail("upgrade")
		}
		if err == nil {
			_, err = c.Exec(ctx, `COMMIT`)
		}
		if err != nil {
			return fmt.Errorf("upgrade the folder to format %d: %w", version+1, err)
		}
		if !isNew {
			slog.Info("lake: the data folder was upgraded", "format", version+1)
			l.tell(EventUpgraded, "", fmt.Sprintf("the data folder has format %d now", version+1))
		}
	}
	if has["lake_scrub"] {
		if _, err := c.Exec(ctx, `DROP TABLE lake_scrub`); err != nil {
			return fmt.Errorf("drop what a purge left: %w", err)
		}
	}
	return nil
}
