package e2e

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// rsyslogd finds the daemon: installed, or unpacked from Debian's packages without installing them. env is what it
// needs beside the environment, modules its folder of modules.
func rsyslogd(t *testing.T) (bin string, modules string, env []string) {
	t.Helper()
	for _, p := range []string{"/usr/sbin/rsyslogd", "/usr/local/sbin/rsyslogd"} {
		dirs, err := filepath.Glob("/usr/lib/*/rsyslog/omelasticsearch.so")
		if _, serr := os.Stat(p); serr == nil && err == nil && len(dirs) > 0 {
			return p, filepath.Dir(dirs[0]), nil
		}
	}
	dir := unpacked(t, "rsyslog")
	libs, err := filepath.Glob(filepath.Join(dir, "root", "usr", "lib", "*-linux-gnu"))
	if err != nil || len(libs) == 0 {
		t.Fatalf("the unpacked packages hold no libraries: %v", err)
	}
	return filepath.Join(dir, "root", "usr", "sbin", "rsyslogd"), filepath.Join(libs[0], "rsyslog"), []string{"LD_LIBRARY_PATH=" + libs[0]}
}

// unpacked is a folder with the files of the Debian packages that clients/NAME/packages.txt lists, not installed.
func unpacked(t *testing.T, name string) string {
	t.Helper()
	apt, dpkg := tool(t, "apt-get"), tool(t, "dpkg")
	pins := "clients/" + name + "/packages.txt"
	dir, done := clientCache(t, name, pins)
	if !done {
		list, err := os.ReadFile(pins)
		if err != nil {
			t.Fatal(err)
		}
		install(t, dir, append([]string{apt, "download"}, strings.Fields(string(list))...),
			[]string{"sh", "-c", `for f in *.deb; do "$0" -x "$f" root || exit 1; done`, dpkg})
	}
	return dir
}

func port(t *testing.T, addr string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestClientRsyslog sends 3,000 messages through rsyslog, which hands each on as syslog and as a document of _bulk.
func TestClientRsyslog(t *testing.T) {
	need(t, "PICKET_CLIENTS")
	bin, modules, env := rsyslogd(t)
	s := newServer(t)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := os.ReadFile("clients/rsyslog/rsyslog.conf")
	if err != nil {
		t.Fatal(err)
	}
	work, in := t.TempDir(), freeAddr(t)
	text := strings.NewReplacer("@WORK@", work, "@IN@", port(t, in), "@SYSLOG@", port(t, s.SyslogTCP), "@PORT@", u.Port(), "@CA@", s.CAFile, "@TOKEN@", s.Token).Replace(string(conf))
	file := filepath.Join(work, "rsyslog.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, "-n", "-f", file, "-i", filepath.Join(work, "pid"), "-M", modules)
	var out bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	var c net.Conn
	eventually(t, 20*time.Second, "rsyslog listens", func() bool {
		c, err = net.Dial("tcp", in)
		return err == nil
	})
	const n = 3000
	for i := range n {
		if _, err := fmt.Fprintf(c, "<38>Nov 24 07:08:09 web%d sshd[%d]: Failed password for root from 192.0.2.%d\n", i%3, i+1, i%250); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	check := func(kql string) func() bool {
		return func() bool {
			rows := s.rows(kql)
			return len(rows) == 1 && rows[0]["n"] == float64(n) && rows[0]["d"] == float64(n)
		}
	}
	eventually(t, 30*time.Second, "3,000 different rows in Syslog", check("Syslog | where Facility == 'auth' and SeverityLevel == 'info' and ProcessName == 'sshd' | summarize n=count(), d=count_distinct(ProcessID)"))
	eventually(t, 30*time.Second, "3,000 rows in "+s.ESTable, check(s.ESTable+" | where message_s has 'Failed password' | summarize n=count() | extend d=n"))
	time.Sleep(time.Second) // nothing is sent twice
	if !check("Syslog | summarize n=count(), d=count_distinct(ProcessID)")() || !check(s.ESTable+" | summarize n=count() | extend d=n")() {
		t.Errorf("rows were added afterwards: %v %v\n%s", s.rows("Syslog | count"), s.rows(s.ESTable+" | count"), out.String())
	}
}

// TestClientSyslogNG sends 3,000 messages through syslog-ng, which hands each on as a document of _bulk and, with the
// signature that it makes for Azure, to the HTTP Data Collector.
func TestClientSyslogNG(t *testing.T) {
	need(t, "PICKET_CLIENTS")
	root := filepath.Join(unpacked(t, "syslog-ng"), "root")
	libs, err := filepath.Glob(filepath.Join(root, "usr", "lib", "*-linux-gnu"))
	if err != nil || len(libs) == 0 {
		t.Fatalf("the unpacked packages hold no libraries: %v", err)
	}
	modules, err := filepath.Glob(filepath.Join(root, "usr", "lib", "syslog-ng", "*", "libhttp.so"))
	if err != nil || len(modules) == 0 {
		t.Fatalf("the unpacked packages hold no module http: %v", err)
	}
	s := newServer(t)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	conf, err := os.ReadFile("clients/syslog-ng/syslog-ng.conf")
	if err != nil {
		t.Fatal(err)
	}
	work, in := t.TempDir(), freeAddr(t)
	text := strings.NewReplacer("@IN@", port(t, in), "@PORT@", u.Port(), "@HTTP@", s.HTTPURL, "@CA@", s.CAFile, "@TOKEN@", s.Token, "@WORKSPACE@", s.WorkspaceID, "@KEY@", s.SharedKey).Replace(string(conf))
	file := filepath.Join(work, "syslog-ng.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(root, "usr", "sbin", "syslog-ng"), "-F", "--no-caps", "-f", file, "--module-path", filepath.Dir(modules[0]),
		"-R", filepath.Join(work, "persist"), "-p", filepath.Join(work, "pid"), "-c", filepath.Join(work, "ctl"))
	var out bytes.Buffer
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join([]string{libs[0], filepath.Join(root, "lib", filepath.Base(libs[0])), filepath.Join(root, "usr", "lib", "syslog-ng")}, ":"))
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(out.String())
		}
	}()
	var c net.Conn
	eventually(t, 20*time.Second, "syslog-ng listens", func() bool {
		c, err = net.Dial("tcp", in)
		return err == nil
	})
	const n = 3000
	for i := range n {
		if _, err := fmt.Fprintf(c, "<38>Nov 24 07:08:09 web%d sshd[%d]: Failed password for root from 192.0.2.%d\n", i%3, i+1, i%250); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"wire_syslogng_CL", "SyslogNg_CL"} {
		eventually(t, 30*time.Second, "3,000 different rows in "+table, func() bool {
			if !s.exists(table) {
				return false
			}
			r := s.rows(table + " | where message_s startswith 'Failed password' and host_s startswith 'web' | summarize n=count(), d=count_distinct(pid_s)")
			return len(r) == 1 && r[0]["n"] == float64(n) && r[0]["d"] == float64(n)
		})
	}
}

// TestClientLogger sends with util-linux' logger, by TCP and by UDP, plain and as CEF.
func TestClientLogger(t *testing.T) {
	need(t, "PICKET_CLIENTS")
	logger := tool(t, "logger")
	s := newServer(t)
	p := port(t, s.SyslogTCP)
	for _, args := range [][]string{
		{"--tcp", "--octet-count", "--rfc5424", "-t", "app", "-p", "local3.warning", "over tcp"},
		{"--tcp", "--rfc3164", "-t", "app", "-p", "local3.warning", "over tcp, bsd"},
		{"--udp", "--rfc5424", "-t", "app", "-p", "local3.warning", "over udp"},
		{"--tcp", "--rfc5424", "-t", "fw", "-p", "local4.err", "CEF:0|Acme|Wall|1.0|100|Port scan|8|src=192.0.2.1 dst=192.0.2.2 dpt=22 act=blocked"},
	} {
		cmd := exec.Command(logger, append([]string{"--server", "127.0.0.1", "--port", p}, args...)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("logger %v: %v\n%s", args, err, out)
		}
	}
	eventually(t, 20*time.Second, "three rows in Syslog", func() bool {
		r := s.rows("Syslog | where Facility == 'local3' and SeverityLevel == 'warning' and ProcessName == 'app' and SyslogMessage has 'over' | summarize n=count_distinct(SyslogMessage)")
		return len(r) == 1 && r[0]["n"] == 3.0
	})
	eventually(t, 20*time.Second, "one row in CommonSecurityLog", func() bool {
		r := s.rows("CommonSecurityLog | where SourceIP == '192.0.2.1' and DestinationPort == 22 and DeviceAction == 'blocked' | count")
		return len(r) == 1 && r[0]["Count"] == 1.0
	})
}
