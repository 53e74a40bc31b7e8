package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"
)

func backupCommand(t *target) *cobra.Command {
	return &cobra.Command{
		Use: "backup DIR", Short: "Copy the data folder into a new folder, while the server runs", Args: args(1, "one folder that is not there yet"),
		Long: `Copies the whole data folder, as of one commit, into a new folder of the same machine, while the server runs. The copy is
a data folder: picket serve --data DIR runs it. It holds the keys of the sealed vault: keep it as you keep the original.`,
		Example: "  picket backup /backup/picket-2026-11-24 --data /var/lib/picket",
		RunE: func(c *cobra.Command, a []string) error {
			dir, err := filepath.Abs(a[0])
			if err != nil {
				return err
			}
			return t.with(c.Context(), func(cl *client) error {
				var out struct {
					Dir    string `json:"dir"`
					Commit int64  `json:"commit"`
				}
				if err := cl.send(c.Context(), "POST", "/api/v1/backup", map[string]string{"dir": dir}, &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out)
				}
				fmt.Fprintf(c.OutOrStdout(), "copied up to commit %d into %s\n", out.Commit, clean(out.Dir))
				return nil
			})
		},
	}
}
