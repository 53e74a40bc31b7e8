package main

import (
	"fmt"
	"picket/kql/help"
	"strings"

	"github.com/spf13/cobra"
)

func kqlFunctionsCommand() *cobra.Command {
	var missing bool
	var kind string
	c := &cobra.Command{
		Use:   "functions [NAME]",
		Short: "Print what the language has, and what is refused here",
		Long:  "Without a name, lists every function, aggregate, plugin and operator; with one, prints its signatures, what it does and an example. --missing lists what the language has and picket refuses, with the reason.",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, a []string) error {
			asJSON, err := c.Flags().GetBool("json")
			if err != nil {
				return err
			}
			out := c.OutOrStdout()
			if missing {
				list := help.Unsupported()
				if asJSON {
					return printJSON(out, list)
				}
				var rows [][]string
				for _, m := range list {
					rows = append(rows, []string{m.Name, string(m.Kind), m.Why})
				}
				return table(out, []string{"NAME", "KIND", "WHY"}, rows)
			}
			if len(a) == 1 {
				es := help.Lookup(a[0])
				if len(es) == 0 {
					err := fmt.Errorf("there is no function or operator %s", a[0])
					if near := help.Near(a[0], 8); len(near) > 0 {
						err = fmt.Errorf("%w; there are %s", err, strings.Join(near, ", "))
					}
					return &exitError{exitNotFound, err}
				}
				if asJSON {
					return printJSON(out, es)
				}
				for i := range es {
					if i > 0 {
						fmt.Fprintln(out)
					}
					fmt.Fprint(out, es[i].Text(false))
				}
				return nil
			}
			var list []help.Entry
			for _, e := range help.All() {
				if kind == "" || kind == string(e.Kind) {
					list = append(list, e)
				}
			}
			if asJSON {
				return printJSON(out, list)
			}
			if len(list) == 0 {
				return &exitError{exitUsage, fmt.Errorf("--kind %s: give function, aggregate, plugin, operator or infix", kind)}
			}
			var rows [][]string
			for _, e := range list {
				state := "served"
				if e.Unsupported != "" {
					state = "refused"
				}
				rows = append(rows, []string{e.Name, string(e.Kind), state, e.Doc})
			}
			return table(out, []string{"NAME", "KIND", "STATE", "WHAT IT DOES"}, rows)
		},
	}
	c.Flags().BoolVar(&missing, "missing", false, "only what is refused, with the reason")
	c.Flags().StringVar(&kind, "kind", "", "only function, aggregate, plugin, operator or infix")
	return c
}
