package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The tests of this file run Microsoft's own libraries and command against bin/picket, with nothing but the
// environment that `picket env` prints. Libraries are installed under .cache/clients by their pinned versions, once.

// clientCache is the folder for what one set of pins installs; done says whether it is complete.
func clientCache(t *testing.T, name string, pins ...string) (dir string, done bool) {
	t.Helper()
	h := sha256.New()
	for _, p := range pins {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		h.Write(b)
	}
	dir, err := filepath.Abs(filepath.Join("..", ".cache", "clients", name+"-"+hex.EncodeToString(h.Sum(nil))[:12]))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = os.Stat(filepath.Join(dir, "done"))
	return dir, err == nil
}

// install runs the commands that fill a cache folder and marks it complete.
func install(t *testing.T, dir string, commands ...[]string) {
	t.Helper()
	start := time.Now()
	for _, c := range commands {
		ctx, cancel := context.WithTimeout(context.Background(), 8*time.Minute)
		cmd := exec.CommandContext(ctx, c[0], c[1:]...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("install %s: %v\n%s", strings.Join(c, " "), err, tail(string(out), 3000))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "done"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Logf("installed in %s", time.Since(start).Round(time.Second))
}

// venv is a Python environment with the requirements of a folder of scripts.
func venv(t *testing.T, name, requirements string) string {
	t.Helper()
	python := tool(t, "python3")
	req, err := filepath.Abs(requirements)
	if err != nil {
		t.Fatal(err)
	}
	dir, done := clientCache(t, name, requirements)
	if !done {
		install(t, dir, []string{python, "-m", "venv", "env"}, []string{"env/bin/pip", "install", "-q", "--disable-pip-version-check", "--no-compile", "-r", req})
	}
	return filepath.Join(dir, "env", "bin")
}

// clientEnv is the environment that picket env prints for a client, and where the walk-through's rule is.
func (s *server) clientEnv(client string) []string {
	s.t.Helper()
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.t.TempDir(), "LANG=C.UTF-8", "NO_PROXY=*", "PYTHONDONTWRITEBYTECODE=1",
		"PICKET_DCR_ID=" + s.DCRID, "PICKET_STREAM=" + s.Stream,
		"PICKET_RESOURCE_ID=/subscriptions/" + s.SubscriptionID + "/resourceGroups/" + s.ResourceGroup + "/providers/Microsoft.OperationalInsights/workspaces/" + s.WorkspaceName,
	}
	for _, l := range strings.Split(s.run("env", client), "\n") {
		if kv, ok := strings.CutPrefix(l, "export "); ok {
			k, v, _ := strings.Cut(kv, "=")
			env = append(env, k+"="+strings.Trim(v, "'"))
		}
	}
	return env
}

// runClient runs a client's program; it must end well and have said "ok" to each of wants.
func runClient(t *testing.T, dir string, env, command []string, wants ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, tail(string(out), 6000))
	}
	for _, w := range wants {
		if !strings.Contains("\n"+string(out), "\nok "+w+"\n") {
			t.Errorf("%s did not show %q:\n%s", strings.Join(command, " "), w, tail(string(out), 3000))
		}
	}
}

// owner is a principal with the role Owner, as environment: the walk-through's own is a Contributor.
func (s *server) owner() []string {
	s.t.Helper()
	id, secret := s.principal("owner", "Owner")
	return []string{"AZURE_CLIENT_ID=" + id, "AZURE_CLIENT_SECRET=" + secret}
}

// principal makes a service principal.
func (s *server) principal(name, role string) (id, secret string) {
	s.t.Helper()
	var p struct{ ClientID, ClientSecret string }
	out := s.run("access", "add", name, "--role", role, "--json")
	if err := json.Unmarshal([]byte(out), &p); err != nil || p.ClientID == "" || p.ClientSecret == "" {
		s.t.Fatalf("picket access add printed %q: %v", out, err)
	}
	return p.ClientID, p.ClientSecret
}

func TestClientPython(t *testing.T) {
	need(t, "PICKET_CLIENTS")
	bin := venv(t, "python", "clients/python/requirements.txt")
	s := newServer(t)
	env := append(s.clientEnv("python"), s.clientEnv("identity")...)
	for _, c := range []struct {
		script string
		wants  []string
	}{
		{"query.py", []string{"types", "prefer", "error", "partial", "batch", "resource", "managed identity"}},
		{"ingest.py", []string{"upload", "errors"}},
		{"manage.py", []string{"tables", "functions", "rules of collection", "incidents", "playbooks"}},
		{"kusto.py", []string{"query", "several results", "commands", "errors", "parameters", "limits", "streaming"}},
		{"playbooks.py", []string{"callback url", "runs", "cancel"}},
		// The last: it makes the shared keys anew.
		{"workspace.py", []string{"workspaces", "shared keys", "lists", "retention and purge", "sentinel lists", "automation rules", "watchlists"}},
	} {
		t.Run(strings.TrimSuffix(c.script, ".py"), func(t *testing.T) {
			env := env
			if c.script == "workspace.py" {
				env = append(env[:len(env):len(env)], s.owner()...)
			}
			runClient(t, "clients/python", env, []string{filepath.Join(bin, "python"), c.script}, c.wants...)
		})
	}
}

// TestClientOpenTelemetry sends by each way of OTLP with OpenTelemetry's own SDK, by environment alone.
func TestClientOpenTelemetry(t *testing.T) {
	need(t, "PICKET_CLIENTS")
	bin := venv(t, "python", "clients/python/requirements.txt")
	s := newServer(t)
	env := append(s.clientEnv("python"), "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer "+s.Token, "OTEL_EXPORTER_OTLP_CERTIFICATE="+s.CAFile)
	ways := []struct {
		name string
		env  []string
	}{
		{"http", []string{"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=" + s.URL + "/v1/logs"}},
		{"gzip", []string{"OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=" + s.URL + "/v1/logs", "OTEL_EXPORTER_OTLP_COMPRESSION=gzip"}},
		{"grpc", []string{"OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_ENDPOINT=" + s.URL}},
	}
	for _, w := range ways {
		t.Run(w.name, func(t *testing.T) {
			runClient(t, "clients/python", append(env[:len(env):len(env)], w.env...), []string{filepath.Join(bin, "python"), "otel.py", w.name}, "records")
		})
	}
	if got, want := s.one("OTelLogs | count"), fmt.Sprintf(`{"Count":%d}`, 7000*len(ways)); got != want {
		t.Errorf("rows in all %s, want %s", got, want)
	}
}

func TestClientJavaScript(t *testing.T) {
	need(t, "PICKET_CLIENTS")
	node, npm := tool(t, "node"), tool(t, "npm")
	dir, done := clientCache(t, "js", "clients/js/package.json", "clients/js/package-lock.json")
	copyInto := func(names ...string) {
		for _, n := range names {
			b, err := os.ReadFile(filepath.Join("clients", "js", n))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, n), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !done {
		copyInto("package.json", "package-lock.json")
		install(t, dir, []string{npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"})
	}
	copyInto("clients.mjs")
	s := newServer(t)
	runClient(t, dir, s.clientEnv("javascript"), []string{node, "clients.mjs"}, "query", "error", "partial", "batch", "resource", "upload", "upload error", "kusto")
}

func TestClientGo(t *testing.T) {
	need(t, "PICKET_CLIENTS")
	dir, done := clientCache(t, "go", "clients/go/main.go", "clients/go/go.mod", "clients/go/go.sum")
	bin := filepath.Join(dir, "clients")
	if !done {
		src, err := filepath.Abs("clients/go")
		if err != nil {
			t.Fatal(err)
		}
		install(t, dir, []string{"go", "build", "-C", src, "-o", bin, "."})
	}
	s := newServer(t)
	runClient(t, dir, s.clientEnv("go"), []string{bin}, "query", "error", "partial", "resource", "upload", "upload error", "kusto")
}

// TestClientAz runs the Azure CLI; it is large, so that its installation takes most of this test's time.
func TestClientAz(t *testing.T) {
	need(t, "PICKET_CLIENTS")
	curl := tool(t, "curl")
	bin := venv(t, "az", "clients/az/requirements.txt")
	s := newServer(t)
	env := s.clientEnv("az")
	env = append(env, "PATH="+bin+":"+filepath.Dir(curl)+":"+os.Getenv("PATH"), "AZURE_CONFIG_DIR="+t.TempDir(), "AZURE_CORE_COLLECT_TELEMETRY=false", "AZURE_EXTENSION_USE_DYNAMIC_INSTALL=no",
		"PICKET_ENDPOINT="+s.URL, "PICKET_WORKSPACE_ID="+s.WorkspaceID, "PICKET_WORKSPACE_NAME="+s.WorkspaceName, "AZURE_RESOURCE_GROUP="+s.ResourceGroup, "SHARED_KEY="+s.SharedKey)
	login := func(own ...string) {
		for _, l := range strings.Split(s.run("env", "az"), "\n") {
			if !strings.HasPrefix(l, "az ") {
				continue
			}
			if len(own) > 0 && strings.HasPrefix(l, "az login ") {
				l = `az login --service-principal --tenant adfs -u "$AZURE_CLIENT_ID" -p "$AZURE_CLIENT_SECRET"`
			} else if len(own) > 0 {
				continue
			}
			runClient(t, ".", append(env[:len(env):len(env)], own...), []string{"sh", "-c", l})
		}
	}
	login()
	runClient(t, "clients/az", env, []string{"bash", "az.sh", filepath.Join(shared(t), "seed", "Ingest-CanaryTokens", "azuredeploy.json")}, "login", "rest", "log-analytics", "deployment")
	runClient(t, "clients/az", append(env[:len(env):len(env)], "USER_NAME="+s.User, "USER_PASSWORD="+s.Password, "PICKET_TOKEN="+s.Token), []string{"bash", "device.sh"}, "device code")
	reader, secret := s.principal("reader", "Reader")
	login(s.owner()...)
	runClient(t, "clients/az", append(env[:len(env):len(env)], "READER_SECRET="+secret), []string{"bash", "owner.sh", reader}, "roles", "workspace", "playbook")
}
