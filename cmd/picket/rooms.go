package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func readJSONFile(path string) (json.RawMessage, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if !json.Valid(b) {
		var x any
		err := json.Unmarshal(b, &x)
		return nil, fmt.Errorf("%s is not JSON: %w", path, err)
	}
	return b, nil
}

func playbookCommand(t *target) *cobra.Command {
	return group(&cobra.Command{Use: "playbook", Short: "Playbooks: Logic Apps definitions"},
		playbookDeployCommand(t), playbookListCommand(t), playbookRunsCommand(t), playbookCallbackCommand(t), playbookEvalCommand(), playbookCheckCommand(t), playbookTestCommand(t))
}

func playbookDeployCommand(t *target) *cobra.Command {
	var params []string
	c := &cobra.Command{
		Use: "deploy FILE", Short: "Deploy an azuredeploy.json", Args: args(1, "one template"),
		Example: `  picket playbook deploy azuredeploy.json --param PlaybookName=Ingest-CanaryTokens`,
		RunE: func(c *cobra.Command, a []string) error {
			tpl, err := readJSONFile(a[0])
			if err != nil {
				return err
			}
			ps := map[string]json.RawMessage{}
			for _, kv := range params {
				k, v, ok := strings.Cut(kv, "=")
				if !ok {
					return &exitError{exitUsage, fmt.Errorf("--param %q is not of the form name=value", kv)}
				}
				raw := json.RawMessage(v)
				if !json.Valid(raw) {
					raw, _ = json.Marshal(v)
				}
				ps[k] = raw
			}
			return t.with(c.Context(), func(cl *client) error {
				var out struct {
					Value []struct {
						Name  string `json:"name"`
						Needs []struct {
							Kind, Name, Text string
							Block            bool
						} `json:"needs"`
					} `json:"value"`
				}
				if err := cl.send(c.Context(), "POST", "/api/v1/playbooks", map[string]any{"template": tpl, "parameters": ps}, &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out.Value)
				}
				for _, p := range out.Value {
					fmt.Fprintln(c.OutOrStdout(), "deployed", p.Name)
					for _, n := range p.Needs {
						fmt.Fprintf(c.OutOrStdout(), "  needs %s %s: %s\n", n.Kind, n.Name, n.Text)
					}
				}
				return nil
			})
		},
	}
	c.Flags().StringArrayVar(&params, "param", nil, "a parameter of the template, name=value (JSON or text)")
	return c
}

func playbookListCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List playbooks", Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var out struct {
					Value []struct {
						Name    string `json:"name"`
						Enabled bool   `json:"enabled"`
						Trigger struct{ Name, Type, Summary string }
						LastRun *struct {
							Status string
							Start  time.Time
						}
					} `json:"value"`
				}
				if err := cl.get(c.Context(), "/api/v1/playbooks", &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out.Value)
				}
				rows := [][]string{}
				for _, p := range out.Value {
					last := ""
					if p.LastRun != nil {
						last = p.LastRun.Status + " " + when(p.LastRun.Start)
					}
					rows = append(rows, []string{p.Name, fmt.Sprint(p.Enabled), p.Trigger.Summary, last})
				}
				return table(c.OutOrStdout(), []string{"PLAYBOOK", "ENABLED", "TRIGGER", "LAST RUN"}, rows)
			})
		},
	}
}

func playbookRunsCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "runs PLAYBOOK [RUN]", Short: "List a playbook's runs, or one run's actions", Args: argsBetween(1, 2, "a playbook and, for its actions, a run"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				path := "/api/v1/playbooks/" + esc(a[0]) + "/runs"
				if len(a) == 2 {
					path += "/" + esc(a[1])
				}
				var raw json.RawMessage
				if err := cl.get(c.Context(), path, &raw); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), raw)
				}
				type run struct {
					ID, Name, Type, Status, Code, Error string
					Start, End                          time.Time
				}
				var out struct{ Value, Actions []run }
				if err := json.Unmarshal(raw, &out); err != nil {
					return err
				}
				rows := [][]string{}
				for _, r := range append(out.Value, out.Actions...) {
					name := r.ID
					if name == "" {
						name = r.Name
					}
					took := ""
					if !r.End.IsZero() {
						took = r.End.Sub(r.Start).Round(time.Millisecond).String()
					}
					rows = append(rows, []string{name, r.Type, r.Status, when(r.Start), took, strings.TrimSpace(r.Code + " " + r.Error)})
				}
				return table(c.OutOrStdout(), []string{"NAME", "TYPE", "STATUS", "STARTED", "TOOK", "ERROR"}, rows)
			})
		},
	}
}

func playbookCallbackCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "callback-url PLAYBOOK", Short: "Print the URL that starts a playbook (it holds a secret)", Args: args(1, "one playbook"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var out struct {
					Value string `json:"value"`
				}
				if err := cl.send(c.Context(), "POST", "/api/v1/playbooks/"+esc(a[0])+"/callbackUrl", map[string]any{}, &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), map[string]string{"callbackUrl": out.Value})
				}
				fmt.Fprintln(c.OutOrStdout(), out.Value)
				return nil
			})
		},
	}
}

func ruleCommand(t *target) *cobra.Command {
	return group(&cobra.Command{Use: "rule", Short: "Analytics rules"}, ruleImportCommand(t), ruleListCommand(t), ruleRunCommand(t))
}

func ruleImportCommand(t *target) *cobra.Command {
	var enable, onArrival bool
	c := &cobra.Command{
		Use: "import FILE…", Short: "Import rules in YAML, as the community publishes them", Args: argsBetween(1, 0, "rule files"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				bad := 0
				for _, path := range a {
					if err := importRule(c, t, cl, path, enable, onArrival); err != nil {
						bad++
						fmt.Fprintf(os.Stderr, "picket: %s: %v\n", path, err)
					}
				}
				if bad > 0 {
					return fmt.Errorf("%d of %d rules were not imported", bad, len(a))
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&enable, "enable", false, "turn the rules on")
	c.Flags().BoolVar(&onArrival, "on-arrival", false, "run them as soon as rows arrive, too")
	return c
}

func importRule(c *cobra.Command, t *target, cl *client, path string, enable, onArrival bool) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var out struct {
		ID       string   `json:"id"`
		Name     string   `json:"name"`
		New      bool     `json:"new"`
		Warnings []string `json:"warnings"`
	}
	if err := cl.do(c.Context(), "POST", "/api/v1/rules/import", "application/yaml", b, &out); err != nil {
		return err
	}
	if enable || onArrival {
		path := cl.arm("/providers/Microsoft.SecurityInsights/alertRules/" + esc(out.ID))
		var rule map[string]any
		if err := cl.get(c.Context(), path, &rule); err != nil {
			return err
		}
		props, _ := rule["properties"].(map[string]any)
		if enable {
			props["enabled"] = true
		}
		if onArrival {
			props["picket"] = map[string]any{"onArrival": true}
		}
		if err := cl.send(c.Context(), "PUT", path, rule, nil); err != nil {
			return err
		}
	}
	if t.json {
		return printJSON(c.OutOrStdout(), out)
	}
	fmt.Fprintf(c.OutOrStdout(), "imported %s (%s)\n", clean(out.Name), out.ID)
	for _, w := range out.Warnings {
		fmt.Fprintln(c.OutOrStdout(), "  "+clean(w))
	}
	return nil
}

func ruleListCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List rules", Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var out struct {
					Value []struct {
						Name       string
						Properties struct {
							DisplayName, Severity, QueryFrequency string
							Enabled                               bool
							Picket                                struct{ OnArrival bool }
						}
					}
				}
				if err := cl.get(c.Context(), cl.arm("/providers/Microsoft.SecurityInsights/alertRules"), &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out.Value)
				}
				rows := [][]string{}
				for _, r := range out.Value {
					p := r.Properties
					rows = append(rows, []string{r.Name, p.DisplayName, p.Severity, fmt.Sprint(p.Enabled), p.QueryFrequency, fmt.Sprint(p.Picket.OnArrival)})
				}
				return table(c.OutOrStdout(), []string{"ID", "NAME", "SEVERITY", "ENABLED", "EVERY", "ON ARRIVAL"}, rows)
			})
		},
	}
}

func ruleRunCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "run RULE", Short: "Run a rule now over the window that is open", Args: args(1, "one rule, by id or name"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var out struct {
					Status, Message string
					Rows, Alerts    int
				}
				if err := cl.send(c.Context(), "POST", "/api/v1/rules/"+esc(a[0])+"/run", map[string]any{}, &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out)
				}
				fmt.Fprintf(c.OutOrStdout(), "%s: %d rows, %d alerts made or changed %s\n", out.Status, out.Rows, out.Alerts, out.Message)
				if out.Status == "Failure" {
					return errors.New("the run failed")
				}
				return nil
			})
		},
	}
}

type incidentJSON struct {
	Name       string `json:"name"`
	Properties struct {
		Title, Description, Severity, Status string
		IncidentNumber                       int
		CreatedTimeUtc                       time.Time
		Owner                                struct{ AssignedTo string }
		AdditionalData                       struct{ AlertsCount, CommentsCount int }
		Classification                       string
	} `json:"properties"`
}

func incidentCommand(t *target) *cobra.Command {
	list := &cobra.Command{
		Use: "list", Short: "List incidents, newest first", Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var out struct {
					Value []json.RawMessage `json:"value"`
				}
				if err := cl.get(c.Context(), cl.arm("/providers/Microsoft.SecurityInsights/incidents"), &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out.Value)
				}
				rows := [][]string{}
				for _, raw := range out.Value {
					var in incidentJSON
					if err := json.Unmarshal(raw, &in); err != nil {
						return err
					}
					p := in.Properties
					rows = append(rows, []string{fmt.Sprint(p.IncidentNumber), p.Severity, p.Status, p.Title, when(p.CreatedTimeUtc), p.Owner.AssignedTo, fmt.Sprint(p.AdditionalData.AlertsCount)})
				}
				return table(c.OutOrStdout(), []string{"NUMBER", "SEVERITY", "STATUS", "TITLE", "CREATED", "OWNER", "ALERTS"}, rows)
			})
		},
	}
	show := &cobra.Command{
		Use: "show INCIDENT", Short: "Show an incident with its entities and alerts' rows", Args: args(1, "one incident, by number or id"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error { return showIncident(c, t, cl, a[0]) })
		},
	}
	var classification, reason, comment string
	closeCmd := &cobra.Command{
		Use: "close INCIDENT", Short: "Close an incident", Args: args(1, "one incident, by number or id"),
		Example: `  picket incident close 1 --classification TruePositive --reason SuspiciousActivity --comment "contained"`,
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				path := cl.arm("/providers/Microsoft.SecurityInsights/incidents/" + esc(a[0]))
				var in incidentJSON
				if err := cl.get(c.Context(), path, &in); err != nil {
					return err
				}
				body := map[string]any{"properties": map[string]any{
					"title": in.Properties.Title, "severity": in.Properties.Severity, "status": "Closed",
					"classification": classification, "classificationReason": reason, "classificationComment": comment,
				}}
				var out json.RawMessage
				if err := cl.send(c.Context(), "PUT", path, body, &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out)
				}
				fmt.Fprintf(c.OutOrStdout(), "closed incident %d as %s\n", in.Properties.IncidentNumber, classification)
				return nil
			})
		},
	}
	closeCmd.Flags().StringVar(&classification, "classification", "", "TruePositive, BenignPositive, FalsePositive or Undetermined")
	closeCmd.Flags().StringVar(&reason, "reason", "", "SuspiciousActivity, SuspiciousButExpected, IncorrectAlertLogic or InaccurateData")
	closeCmd.Flags().StringVar(&comment, "comment", "", "why")
	return group(&cobra.Command{Use: "incident", Short: "Incidents"}, list, show, closeCmd)
}

func showIncident(c *cobra.Command, t *target, cl *client, id string) error {
	base := "/providers/Microsoft.SecurityInsights/incidents/" + esc(id)
	var raw json.RawMessage
	if err := cl.get(c.Context(), cl.arm(base), &raw); err != nil {
		return err
	}
	var ents, alerts json.RawMessage
	if err := errors.Join(cl.get(c.Context(), cl.arm(base+"/entities"), &ents), cl.get(c.Context(), cl.arm(base+"/alerts"), &alerts)); err != nil {
		return err
	}
	if t.json {
		return printJSON(c.OutOrStdout(), map[string]json.RawMessage{"incident": raw, "entities": ents, "alerts": alerts})
	}
	var in incidentJSON
	var es struct {
		Entities []struct {
			Kind       string
			Properties struct{ FriendlyName string }
		}
	}
	var as struct {
		Value []struct {
			Properties struct {
				AlertDisplayName string
				AdditionalData   struct {
					Rows     []json.RawMessage
					RowCount int
				}
			}
		}
	}
	if err := errors.Join(json.Unmarshal(raw, &in), json.Unmarshal(ents, &es), json.Unmarshal(alerts, &as)); err != nil {
		return err
	}
	w, p := c.OutOrStdout(), in.Properties
	fmt.Fprintf(w, "#%d %s\n%s, %s, created %s\n", p.IncidentNumber, clean(p.Title), p.Severity, p.Status, when(p.CreatedTimeUtc))
	if p.Classification != "" {
		fmt.Fprintln(w, "closed as", p.Classification)
	}
	if p.Description != "" {
		fmt.Fprintf(w, "\n%s\n", cleanText(p.Description))
	}
	fmt.Fprintln(w)
	rows := [][]string{}
	for _, e := range es.Entities {
		rows = append(rows, []string{e.Kind, e.Properties.FriendlyName})
	}
	if err := table(w, []string{"ENTITY", "NAME"}, rows); err != nil {
		return err
	}
	for _, a := range as.Value {
		rows := "rows"
		if a.Properties.AdditionalData.RowCount == 1 {
			rows = "row"
		}
		fmt.Fprintf(w, "\n%s, %d %s\n", clean(a.Properties.AlertDisplayName), a.Properties.AdditionalData.RowCount, rows)
		for _, r := range a.Properties.AdditionalData.Rows {
			var b bytes.Buffer
			if err := json.Indent(&b, r, "  ", "  "); err != nil {
				return err
			}
			fmt.Fprintln(w, "  "+cleanText(strings.NewReplacer(`\u0026`, "&", `\u003c`, "<", `\u003e`, ">").Replace(b.String())))
		}
	}
	return nil
}
