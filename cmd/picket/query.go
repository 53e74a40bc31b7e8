package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
)

type laAnswer struct {
	Tables []struct {
		Name    string `json:"name"`
		Columns []struct {
			Name string `json:"name"`
			Type string `json:"type"`
		} `json:"columns"`
		Rows [][]json.RawMessage `json:"rows"`
	} `json:"tables"`
	Error *struct {
		Message string `json:"message"`
		Details []struct {
			Inner struct {
				Message string `json:"message"`
			} `json:"innererror"`
		} `json:"details"`
	} `json:"error"`
}

func queryCommand(t *target) *cobra.Command {
	var format, timespan string
	var file fileFlags
	var interactive, explain bool
	c := &cobra.Command{
		Use: "query KQL", Short: "Ask the workspace, or files, a question",
		Long: `Asks the server a question, or, with --file, files: NDJSON, JSON, CSV, TSV, Parquet and Windows events as JSON, plain
or compressed by gzip or zstd. A file's table has the name of the file (logs.ndjson is logs) and the first one also
the name T. Types of columns are those of all its rows.`,
		Example: `  picket query 'SecurityIncident | summarize arg_max(LastModifiedTime, *) by IncidentNumber'
  picket query --timespan P1D --format csv 'CanaryTokens_CL | project TimeGenerated, src_ip_s, memo_s'
  picket query --explain 'SecurityAlert | where TimeGenerated > ago(1d) | summarize count() by AlertName'
  picket query --file logs.ndjson 'logs | summarize count() by user'
  picket query --file a=jan.csv.gz --file 'b=feb-*.csv.gz' --format csv 'union a, b | where status >= 500'`,
		Args: func(c *cobra.Command, a []string) error {
			if interactive && len(a) == 0 {
				return nil
			}
			return args(1, "one query")(c, a)
		},
		RunE: func(c *cobra.Command, a []string) error {
			if t.json {
				format = "json"
			}
			if format != "table" && format != "json" && format != "csv" {
				return &exitError{exitUsage, fmt.Errorf("--format %q: give table, json or csv", format)}
			}
			switch {
			case interactive && explain:
				return &exitError{exitUsage, errors.New("--explain explains one query; leave -i out")}
			case interactive && len(a) > 0:
				return &exitError{exitUsage, fmt.Errorf("-i asks for queries; leave %q out", a[0])}
			case interactive && len(file.specs) > 0:
				return replFiles(c, &file, timespan)
			case interactive:
				return replServer(c, t, timespan)
			case explain && len(file.specs) > 0:
				return explainFiles(c, &file, a[0], timespan)
			case explain:
				return explainServer(c, t, a[0], timespan)
			case len(file.specs) > 0:
				return queryFiles(c, &file, a[0], format, timespan)
			}
			return t.with(c.Context(), func(cl *client) error {
				in := map[string]string{"query": a[0]}
				if timespan != "" {
					in["timespan"] = timespan
				}
				var out laAnswer
				if err := cl.send(c.Context(), "POST", "/v1/workspaces/"+esc(cl.ws.ID)+"/query", in, &out); err != nil {
					return err
				}
				return printAnswer(c, &out, format)
			})
		},
	}
	c.Flags().StringVar(&format, "format", "table", "table, json or csv")
	c.Flags().StringVar(&timespan, "timespan", "", "ISO 8601 duration (P1D) or start/end")
	c.Flags().BoolVarP(&interactive, "interactive", "i", false, "ask queries one after the other, as kql repl does")
	c.Flags().BoolVar(&explain, "explain", false, "show how the query would be answered: the plan, DuckDB's SQL, and what is read; nothing runs")
	file.add(c)
	return c
}

func printAnswer(c *cobra.Command, out *laAnswer, format string) error {
	w := c.OutOrStdout()
	for i, tb := range out.Tables {
		header := make([]string, len(tb.Columns))
		for k, col := range tb.Columns {
			header[k] = col.Name
		}
		var err error
		switch format {
		case "json":
			recs := make([]map[string]json.RawMessage, len(tb.Rows))
			for r, row := range tb.Rows {
				recs[r] = map[string]json.RawMessage{}
				for k := range row {
					recs[r][header[k]] = row[k]
				}
			}
			err = printJSON(w, recs)
		default:
			rows := make([][]string, len(tb.Rows))
			for r, row := range tb.Rows {
				for _, cell := range row {
					rows[r] = append(rows[r], cellText(cell))
				}
			}
			if i > 0 {
				fmt.Fprintln(w)
			}
			if format == "csv" {
				err = printCSV(w, header, rows)
			} else {
				err = table(w, header, rows)
			}
		}
		if err != nil {
			return err
		}
	}
	if out.Error != nil {
		msg := out.Error.Message
		if len(out.Error.Details) > 0 {
			msg = out.Error.Details[0].Inner.Message
		}
		fmt.Fprintln(os.Stderr, "picket: the answer is not whole: "+msg)
		return &exitError{exitFailure, fmt.Errorf("partial result")}
	}
	return nil
}

func cellText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil && string(raw) != "null" {
		return s
	}
	if string(raw) == "null" {
		return ""
	}
	return string(raw)
}
