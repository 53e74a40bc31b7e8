package canary

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"picket/canary/office"
	"strings"
	"testing"
	"time"
)

// libreOffice opens files for real, or skips the test.
func libreOffice(t *testing.T, files ...string) {
	t.Helper()
	bin, err := exec.LookPath("soffice")
	if err != nil {
		t.Skip("LibreOffice (soffice) is not installed: documents are not opened by a real program")
	}
	if testing.Short() {
		t.Skip("-short: LibreOffice takes seconds to start")
	}
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	args := append([]string{"-env:UserInstallation=file://" + filepath.Join(dir, "profile"), "--headless", "--convert-to", "pdf", "--outdir", dir}, files...)
	cmd := exec.CommandContext(ctx, bin, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("soffice: %v\n%s", err, out.String())
	}
	for _, f := range files {
		pdf := filepath.Join(dir, strings.TrimSuffix(filepath.Base(f), filepath.Ext(f))+".pdf")
		if st, err := os.Stat(pdf); err != nil || st.Size() < 1000 {
			t.Errorf("%s was not converted: %v\n%s", filepath.Base(f), err, out.String())
		}
	}
}

// own documents as other programs write them.
func ownDocuments(t *testing.T) (docx map[string][]byte, xlsx map[string][]byte) {
	t.Helper()
	docx, xlsx = map[string][]byte{}, map[string][]byte{}
	files, err := filepath.Glob("testdata/own/*")
	if err != nil || len(files) == 0 {
		t.Fatal("testdata/own has no documents")
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Ext(f) == ".docx" {
			docx[filepath.Base(f)] = b
		} else {
			xlsx[filepath.Base(f)] = b
		}
	}
	return docx, xlsx
}

func TestRealProgramTripsDocuments(t *testing.T) {
	b := newBench(t, nil)
	dir := t.TempDir()
	var files []string
	want := map[string]string{} // token → file
	add := func(r CreateRequest) {
		c := b.create(t, r)
		a, err := b.Download(context.Background(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		if err := office.Check(a.Data); err != nil {
			t.Errorf("%s: %v", r.FileName, err)
		}
		f := filepath.Join(dir, a.FileName)
		if err := os.WriteFile(f, a.Data, 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		want[c.ID] = a.FileName
	}
	add(CreateRequest{Kind: "ms_word", FileName: "White Glove Customer Accounts.docx"})
	add(CreateRequest{Kind: "ms_excel", FileName: "Payroll.xlsx", Decoy: Decoy{Fields: []string{"full_name", "job_title", "salary"}, Rows: 60}})
	docx, xlsx := ownDocuments(t)
	for kind, ext := range map[string]string{"ms_word": ".docx", "ms_excel": ".xlsx"} { // what is armed already can be armed again
		c := b.create(t, CreateRequest{Kind: kind})
		a, err := b.Download(context.Background(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		add(CreateRequest{Kind: kind, FileName: "twice" + ext[1:] + ext, OwnDocument: a.Data})
	}
	for n, d := range docx {
		add(CreateRequest{Kind: "ms_word", FileName: "own " + n, OwnDocument: d})
	}
	for n, d := range xlsx {
		add(CreateRequest{Kind: "ms_excel", FileName: "own " + n, OwnDocument: d})
	}
	libreOffice(t, files...)
	for id, name := range want {
		until(t, name+" trips", func() bool { return len(b.rowsOf(id)) > 0 })
		for _, r := range b.rowsOf(id) {
			if !strings.Contains(r.UserAgent, "LibreOffice") || r.SrcIP != "127.0.0.1" || r.AlertStatus != AlertAlertable {
				t.Errorf("%s: row %+v", name, r)
			}
		}
		rs := b.rowsOf(id)
		t.Logf("%s: %d rows, first %s, one notification: %v", name, len(rs), rs[0].Method, rs[0].NotificationID == rs[len(rs)-1].NotificationID)
	}
}
