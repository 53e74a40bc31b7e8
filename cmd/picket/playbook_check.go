package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"picket/connector"
	"picket/playbook"
	"picket/playbook/expr"
	"strings"

	"github.com/spf13/cobra"
)

type checkNeed struct {
	Connector string `json:"connector"`
	Operation string `json:"operation"`
	Served    bool   `json:"served"`
	Where     string `json:"where,omitempty"`
	Message   string `json:"message,omitempty"`
}

type checkError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type checkResult struct {
	File   string       `json:"file"`
	OK     bool         `json:"ok"`
	Errors []checkError `json:"errors"`
	Needs  []checkNeed  `json:"needs"`
}

const maxTemplateFile = 8 << 20

// playbookCheckCommand checks templates without a server.
func playbookCheckCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "check FILE…", Short: "Check templates and list what they need, without a server", Args: cobra.MinimumNArgs(1),
		Long: `Checks each template or definition as a deployment would, and lists the connectors' operations that it uses. Parameters
without a default get a made-up value of their type. With --json one line for each file.`,
		RunE: func(c *cobra.Command, files []string) error {
			bad := 0
			for _, f := range files {
				r := checkFile(c.Context(), f)
				if !r.OK {
					bad++
				}
				if t.json {
					if err := json.NewEncoder(c.OutOrStdout()).Encode(r); err != nil {
						return err
					}
					continue
				}
				printCheck(c.OutOrStdout(), r)
			}
			if bad > 0 {
				return fmt.Errorf("%d of %d files are not right", bad, len(files))
			}
			return nil
		},
	}
}

func printCheck(w io.Writer, r checkResult) {
	state := "ok"
	if !r.OK {
		state = "not right"
	}
	fmt.Fprintf(w, "%s: %s\n", r.File, state)
	for _, e := range r.Errors {
		fmt.Fprintf(w, "  %s: %s\n", e.Code, e.Message)
	}
	for _, n := range r.Needs {
		mark := "served "
		if !n.Served {
			mark = "missing"
		}
		fmt.Fprintf(w, "  %s  %s  %s\n", mark, n.Connector, n.Operation)
	}
}

func checkFile(ctx context.Context, path string) checkResult {
	r := checkResult{File: path, Errors: []checkError{}, Needs: []checkNeed{}}
	uses, needs, err := validateFile(ctx, path)
	if err != nil {
		e := checkError{"InvalidTemplate", err.Error()}
		var pe *playbook.Error
		if errors.As(err, &pe) {
			e.Code = pe.Code
		}
		r.Errors = append(r.Errors, e)
		return r
	}
	r.OK = true
	seen := map[checkNeed]bool{}
	add := func(n checkNeed) {
		k := checkNeed{Connector: n.Connector, Operation: n.Operation}
		if !seen[k] {
			seen[k] = true
			r.Needs = append(r.Needs, n)
		}
	}
	for _, u := range uses {
		add(checkNeed{Connector: u.Connector, Operation: u.Operation, Served: u.Served, Where: u.Where})
	}
	for _, n := range needs {
		if n.Kind != "connector" && n.Kind != "operation" {
			add(checkNeed{Connector: n.Kind, Operation: n.Name, Where: n.Where, Message: n.Message})
		}
	}
	return r
}

func validateFile(ctx context.Context, path string) ([]playbook.Use, []playbook.Need, error) {
	i, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if i.Size() > maxTemplateFile {
		return nil, nil, fmt.Errorf("the file has %d bytes, the limit is %d", i.Size(), maxTemplateFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, err
	}
	text = []byte(strings.TrimPrefix(string(text), "\ufeff"))
	return playbook.Needs(ctx, text, playbook.MadeUpParameters(text), connector.Catalog(), connector.CatalogCustom())
}

// bare says that a file holds a workflow definition rather than a template.
func bare(text []byte) bool {
	v, _ := expr.ParseJSON(text) // what isn't JSON is refused when it is deployed
	o, _ := v.(*expr.Object)
	return o.Value("resources") == nil && (o.Value("definition") != nil || o.Value("triggers") != nil || o.Value("actions") != nil)
}
