package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"picket/connector"
	"picket/playbook"
	"picket/playbook/expr"
	"picket/playbook/mock"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type tryOptions struct {
	mocks, trigger, body, workflow, run string
	params                              []string
	dry, record                         bool
	timeout                             time.Duration
}

// playbookTestCommand tries a playbook out before it touches anything.
func playbookTestCommand(t *target) *cobra.Command {
	var o tryOptions
	c := &cobra.Command{
		Use: "test FILE", Short: "Run a playbook against recorded answers, without a server", Args: args(1, "one template or definition"),
		Long: `Runs a template's workflow in an engine of its own. Whatever an action would send to others is answered from --mocks:
NAME.json for the action NAME with {"statusCode", "headers", "body"} or a list of such answers, taken one by one.
test.json there may hold workflow, trigger, body, headers, queries, parameters, now and expect:
{"status": "Succeeded", "actions": {"NAME": {"status", "count", "inputs", "outputs", "error"}}}. Members that an
expectation doesn't name don't count. Waits end at once.

--dry-run answers the rest with 200 and an empty object and prints what would be sent.
--record sends Http actions for real and writes their answers; with --run PLAYBOOK/RUN it writes the answers that a
run on the server got. Secrets are masked in both.`,
		Example: `  picket playbook test azuredeploy.json --mocks testdata/block-user
  picket playbook test azuredeploy.json --dry-run --body alert.json
  picket playbook test --record --run Block-User/08584… --mocks testdata/block-user azuredeploy.json`,
		RunE: func(c *cobra.Command, a []string) error {
			if o.run != "" {
				return recordRun(c, t, o)
			}
			return tryPlaybook(c, t, a[0], o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.mocks, "mocks", "", "folder with the recorded answers")
	f.BoolVar(&o.dry, "dry-run", false, "print what would be sent; answer what isn't recorded with 200 and {}")
	f.BoolVar(&o.record, "record", false, "send Http actions for real and write the answers to --mocks")
	f.StringVar(&o.run, "run", "", "with --record: take the answers of this run on the server, PLAYBOOK/RUN")
	f.StringVar(&o.trigger, "trigger", "", "the trigger to fire; by default test.json's, or the first")
	f.StringVar(&o.workflow, "workflow", "", "the workflow, when the template has several")
	f.StringVar(&o.body, "body", "", "file with the trigger's body in JSON")
	f.StringArrayVar(&o.params, "param", nil, "a parameter of the template, name=value (JSON or text)")
	f.DurationVar(&o.timeout, "timeout", time.Minute, "how long the run may take")
	return c
}

func tryPlaybook(c *cobra.Command, t *target, path string, o tryOptions) error {
	if o.mocks == "" && !o.dry {
		return &exitError{exitUsage, errors.New("name the folder with the recorded answers (--mocks), or use --dry-run")}
	}
	text, err := readJSONFile(path)
	if err != nil {
		return err
	}
	set, err := mock.Load(o.mocks, o.dry || o.record)
	if err != nil {
		return err
	}
	set.DryRun, set.PassThrough = o.dry && !o.record, o.record
	params := playbook.MadeUpParameters(text)
	if params == nil {
		params = map[string]any{}
	}
	given := map[string]any{}
	for _, kv := range o.params {
		k, v, ok := strings.Cut(kv, "=")
		if !ok {
			return &exitError{exitUsage, fmt.Errorf("--param %q is not of the form name=value", kv)}
		}
		x, err := expr.ParseJSON([]byte(v))
		if err != nil {
			x = v
		}
		given[k] = x
	}
	q, err := set.Request(text, given, connector.Catalog())
	if err != nil {
		return err
	}
	for k, v := range q.Deploy.Parameters {
		params[k] = v
	}
	q.Deploy.Parameters, q.Timeout = params, o.timeout
	if bare(text) {
		q.Deploy.Name = strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	}
	q.Change = func(d *playbook.Deps) { d.CustomAPI = connector.CatalogCustom() } // the recorded answers speak for it
	if o.trigger != "" {
		q.Trigger = o.trigger
	}
	if o.workflow != "" {
		q.Workflow = o.workflow
	}
	if o.body != "" {
		b, err := readJSONFile(o.body)
		if err != nil {
			return err
		}
		if q.Input.Body, err = expr.ParseJSON(b); err != nil {
			return fmt.Errorf("%s: %w", o.body, err)
		}
		q.Input.Headers.Set("Content-Type", "application/json")
	}
	tried, err := playbook.Try(c.Context(), q)
	if err != nil {
		return err
	}
	if o.record && tried.Run != nil {
		names, err := mock.Record(o.mocks, tried.Run, q.Input.Body)
		if err != nil {
			return err
		}
		for _, n := range names {
			fmt.Fprintln(c.ErrOrStderr(), "wrote "+filepath.Join(o.mocks, n))
		}
	}
	bad := set.Check(tried)
	if err := printTried(c.OutOrStdout(), t.json, o.dry, tried, bad); err != nil {
		return err
	}
	if len(bad) > 0 {
		return fmt.Errorf("the test failed: %s", bad[0])
	}
	return nil
}

type triedAction struct {
	Name       string `json:"name"`
	Repetition string `json:"repetition,omitempty"`
	Type       string `json:"type"`
	Status     string `json:"status"`
	Code       string `json:"code,omitempty"`
	Error      string `json:"error,omitempty"`
}

func printTried(w io.Writer, asJSON, sent bool, t *playbook.Tried, bad []string) error {
	calls, err := mock.CallsJSON(t.Calls)
	if err != nil {
		return err
	}
	var acts []triedAction
	status := playbook.Skipped
	if t.Run != nil {
		status = t.Run.Status
		for _, a := range t.Run.Actions {
			if a.Iteration {
				continue
			}
			x := triedAction{Name: a.Name, Repetition: a.Repetition, Type: a.Type, Status: a.Status, Code: a.Code}
			x.Error, _ = a.Error.Value("message").(string)
			acts = append(acts, x)
		}
	}
	if asJSON {
		return printJSON(w, map[string]any{"ok": len(bad) == 0, "status": status, "failures": append([]string{}, bad...), "actions": acts, "calls": json.RawMessage(calls)})
	}
	rows := [][]string{}
	for _, a := range acts {
		name := a.Name
		if a.Repetition != "" {
			name += " " + a.Repetition
		}
		rows = append(rows, []string{name, a.Type, a.Status, a.Error})
	}
	if err := table(w, []string{"ACTION", "TYPE", "STATUS", "ERROR"}, rows); err != nil {
		return err
	}
	if sent {
		var list []json.RawMessage
		if err := json.Unmarshal(calls, &list); err != nil {
			return err
		}
		fmt.Fprintf(w, "\nwould send %d requests:\n", len(list))
		for _, c := range list {
			if err := printJSON(w, c); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(w, "\n%s\n", status)
	for _, b := range bad {
		fmt.Fprintln(w, "  "+clean(b))
	}
	return nil
}

// recordRun writes the answers that a run on the server got.
func recordRun(c *cobra.Command, t *target, o tryOptions) error {
	name, run, ok := strings.Cut(o.run, "/")
	if !ok || !o.record || o.mocks == "" {
		return &exitError{exitUsage, errors.New("--run PLAYBOOK/RUN goes with --record and --mocks DIR")}
	}
	return t.with(c.Context(), func(cl *client) error {
		var out struct {
			Status, Trigger string
			TriggerOutputs  json.RawMessage
			Actions         []struct {
				Name, Type, Repetition, Status string
				Outputs                        json.RawMessage
			}
		}
		if err := cl.get(c.Context(), "/api/v1/playbooks/"+esc(name)+"/runs/"+esc(run), &out); err != nil {
			return err
		}
		d := &playbook.RunDetail{Run: playbook.Run{Status: out.Status, Trigger: out.Trigger}}
		for _, a := range out.Actions {
			x := &playbook.ActionRun{Name: a.Name, Type: a.Type, Repetition: a.Repetition, Status: a.Status}
			if len(a.Outputs) > 0 {
				v, err := expr.ParseJSON(a.Outputs)
				if err != nil {
					return fmt.Errorf("the outputs of %s: %w", a.Name, err)
				}
				x.Outputs = v
			}
			d.Actions = append(d.Actions, x)
		}
		var body any
		if len(out.TriggerOutputs) > 0 {
			v, err := expr.ParseJSON(out.TriggerOutputs)
			if err != nil {
				return fmt.Errorf("the trigger's outputs: %w", err)
			}
			if to, ok := v.(*expr.Object); ok {
				body = to.Value("body")
			}
		}
		names, err := mock.Record(o.mocks, d, body)
		for _, n := range names {
			fmt.Fprintln(os.Stderr, "wrote "+filepath.Join(o.mocks, n))
		}
		return err
	})
}
