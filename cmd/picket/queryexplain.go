package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// explainFiles prints how a question over files would be answered.
func explainFiles(c *cobra.Command, f *fileFlags, text, timespan string) error {
	cq, closer, err := f.compile(c, text, timespan)
	if err != nil {
		return err
	}
	defer closer()
	_, err = fmt.Fprintln(c.OutOrStdout(), cleanText(strings.TrimRight(cq.Explain(), "\n")))
	return err
}

// explainServer asks the server how it would answer a question.
func explainServer(c *cobra.Command, t *target, text, timespan string) error {
	return t.with(c.Context(), func(cl *client) error {
		in := map[string]string{"query": text}
		if timespan != "" {
			in["timespan"] = timespan
		}
		var out struct {
			Explain string `json:"explain"`
		}
		if err := cl.send(c.Context(), "POST", "/api/v1/explain", in, &out); err != nil {
			return err
		}
		if out.Explain == "" {
			return errors.New("the server does not explain queries: it is of another version than this command")
		}
		_, err := fmt.Fprintln(c.OutOrStdout(), cleanText(strings.TrimRight(out.Explain, "\n")))
		return err
	})
}
