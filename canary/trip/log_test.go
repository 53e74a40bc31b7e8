package trip

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"
	"time"
)

func openLog(t testing.TB, dir string, o LogOptions) *Log {
	t.Helper()
	l, err := OpenLog(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func readAll(t testing.TB, l *Log) (es []Entry, dam []Damage) {
	t.Helper()
	pos := Position{}
	for {
		got, next, d, err := l.Read(pos, 7)
		if err != nil {
			t.Fatal(err)
		}
		es, dam = append(es, got...), append(dam, d...)
		if len(got) == 0 {
			return es, dam
		}
		pos = next
	}
}

func TestLogKeepsAllInOrderAcrossFilesAndRestarts(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for range 3 {
		l, err := OpenLog(dir, LogOptions{FileBytes: 500})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 10 {
			r := &Record{Token: "t", Time: time.Now().UTC(), Path: fmt.Sprint(len(want), i)}
			if err := l.Append(context.Background(), r); err != nil {
				t.Fatal(err)
			}
			want = append(want, r.ID)
			if err := l.AppendNothing(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		l.Close()
		if err := l.Append(context.Background(), &Record{}); !errors.Is(err, ErrClosed) {
			t.Fatalf("closed log: %v", err)
		}
	}
	l := openLog(t, dir, LogOptions{})
	es, dam := readAll(t, l)
	var got []string
	for _, e := range es {
		got = append(got, e.ID)
	}
	if !reflect.DeepEqual(got, want) || len(dam) > 0 {
		t.Fatalf("read %d of %d records, damage %v", len(got), len(want), dam)
	}
	// going on from a record's end gives exactly the rest
	rest, _, _, err := l.Read(es[11].Next, 100)
	if err != nil || len(rest) != len(want)-12 || rest[0].ID != want[12] {
		t.Fatalf("rest: %d, %v", len(rest), err)
	}
	n, err := l.Remove(es[20].Next, time.Now().Add(time.Hour))
	if err != nil || n == 0 {
		t.Fatalf("removed %d, %v", n, err)
	}
	rest, _, _, err = l.Read(es[20].Next, 100)
	if err != nil || len(rest) != len(want)-21 {
		t.Fatalf("after removal: %d, %v", len(rest), err)
	}
}

func TestGroupCommitSharesFsync(t *testing.T) {
	l := openLog(t, t.TempDir(), LogOptions{})
	var wg sync.WaitGroup
	for range 200 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := l.Append(context.Background(), &Record{Token: "t"}); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	es, _ := readAll(t, l)
	s := l.Stats()
	if len(es) != 200 || s.Records != 200 || s.Fsyncs >= 200 {
		t.Fatalf("%d records, stats %+v", len(es), s)
	}
	t.Logf("%d fsyncs for 200 records", s.Fsyncs)
}

func TestTornEndIsSkippedAndDamageIsTold(t *testing.T) {
	dir := t.TempDir()
	l, err := OpenLog(dir, LogOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := l.Append(context.Background(), &Record{Token: "t", Path: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	l.Close()
	f := filepath.Join(dir, fileName(1))
	whole, err := os.ReadFile(f)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, b []byte, want int, damaged bool) {
		t.Helper()
		d := t.TempDir()
		if err := os.WriteFile(filepath.Join(d, fileName(1)), b, 0o600); err != nil {
			t.Fatal(err)
		}
		l := openLog(t, d, LogOptions{})
		if err := l.Append(context.Background(), &Record{Token: "t", Path: "after"}); err != nil {
			t.Fatal(err)
		}
		es, dam := readAll(t, l)
		if len(es) != want+1 || es[want].Path != "after" || (len(dam) > 0) != damaged {
			t.Errorf("%s: %d records (want %d and one more), damage %v", what, len(es), want, dam)
		}
	}
	check("whole", whole, 5, false)
	check("torn in the last record", whole[:len(whole)-9], 4, false)
	check("torn in a head", append(append([]byte{}, whole...), "PKT"...), 5, false)
	check("zeros at the end", append(append([]byte{}, whole...), make([]byte, 4096)...), 5, false)
	check("rubbish at the end", append(append([]byte{}, whole...), bytes.Repeat([]byte("x"), 50)...), 5, true)
	flipped := append([]byte{}, whole...)
	flipped[len(flipped)/2] ^= 1
	check("a flipped bit in the middle", flipped, 4, true)
}

func TestDegradedCallsAreCountedNotDropped(t *testing.T) {
	l := openLog(t, t.TempDir(), LogOptions{})
	var wg sync.WaitGroup
	for range 300 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r := &Record{Token: "t", SrcIP: "192.0.2.1", Headers: [][2]string{{"A", "b"}}}
			if err := l.AppendLimited(context.Background(), r, "source"); err != nil {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	es, _ := readAll(t, l)
	n := 0
	for _, e := range es {
		n += e.Count
		if e.Degraded != "source" || e.Headers != nil || e.ID == "" {
			t.Errorf("record %+v", e.Record)
		}
	}
	if n != 300 || len(es) >= 300 {
		t.Fatalf("%d records count %d calls", len(es), n)
	}
}

func TestLogRecoversFromAFailedWrite(t *testing.T) {
	l := openLog(t, t.TempDir(), LogOptions{})
	if err := l.Append(context.Background(), &Record{Token: "t", Path: "before"}); err != nil {
		t.Fatal(err)
	}
	l.f.Close() // the next write fails
	if err := l.Append(context.Background(), &Record{Token: "t", Path: "lost"}); err == nil {
		t.Fatal("a failed write was acknowledged")
	}
	if err := l.Append(context.Background(), &Record{Token: "t", Path: "after"}); err != nil {
		t.Fatal(err)
	}
	es, dam := readAll(t, l)
	if len(es) != 2 || es[1].Path != "after" || len(dam) > 0 {
		t.Fatalf("%d records, damage %v", len(es), dam)
	}
}

func TestQuotaKeepsCounters(t *testing.T) {
	l := openLog(t, t.TempDir(), LogOptions{QuotaBytes: 2000})
	for range 30 {
		if err := l.Append(context.Background(), &Record{Token: "t", Body: make([]byte, 500)}); err != nil {
			t.Fatal(err)
		}
	}
	es, _ := readAll(t, l)
	last := es[len(es)-1]
	if len(es) != 30 || last.Degraded != "disk" || last.Body != nil || es[0].Body == nil {
		t.Fatalf("%d records, last %+v", len(es), last.Record)
	}
}

func FuzzDecodeFrame(f *testing.F) {
	b, _ := appendFrame(nil, &Record{ID: "x", Token: "t"})
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Add([]byte("PKTR\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, n, err := decodeFrame(b)
		if err == nil {
			if n < frameHead || n > len(b) {
				t.Fatalf("length %d of %d", n, len(b))
			}
			again, err := appendFrame(nil, &r)
			if err != nil {
				t.Fatal(err)
			}
			r2, _, err := decodeFrame(again)
			if err != nil {
				t.Fatal(err)
			}
			j1, _ := json.Marshal(r)
			j2, _ := json.Marshal(r2)
			if !bytes.Equal(j1, j2) {
				t.Fatalf("%s != %s", j1, j2)
			}
		}
		resync(b)
	})
}

func FuzzReadFile(f *testing.F) {
	head := []byte(fileMagic + "\x01\x00\x00\x00\x00\x00\x00\x00")
	b, _ := appendFrame(head, &Record{ID: "x", Token: "t"})
	f.Add(b)
	f.Add(append(b, "PKTRrubbish"...))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(filepath.Join(dir, fileName(1)), b, 0o600); err != nil {
			t.Fatal(err)
		}
		pos := Position{}
		for range 10_000 {
			es, next, _, err := ReadDir(dir, pos, Position{}, 5)
			if err != nil {
				t.Fatal(err)
			}
			if len(es) == 0 {
				return
			}
			if next == pos {
				t.Fatal("no progress")
			}
			pos = next
		}
	})
}
