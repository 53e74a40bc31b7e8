package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
)

// accountCommand manages the people who sign in on the page. Who may read the data folder is an owner: so it is
// also the way back in when a password is lost.
func accountCommand(t *target) *cobra.Command {
	type account struct {
		Name        string    `json:"name"`
		DisplayName string    `json:"displayName,omitempty"`
		Role        string    `json:"role"`
		Disabled    bool      `json:"disabled,omitempty"`
		LastSeen    time.Time `json:"lastSeen,omitzero"`
	}
	list := &cobra.Command{
		Use: "list", Short: "List who signs in on the page", Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var out struct{ Value []account }
				if err := cl.get(c.Context(), "/api/v1/accounts", &out); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), out.Value)
				}
				rows := [][]string{}
				for _, a := range out.Value {
					state := "on"
					if a.Disabled {
						state = "off"
					}
					rows = append(rows, []string{a.Name, a.DisplayName, a.Role, state, when(a.LastSeen)})
				}
				return table(c.OutOrStdout(), []string{"NAME", "DISPLAY NAME", "ROLE", "STATE", "LAST SEEN"}, rows)
			})
		},
	}
	// told prints a password that is shown this once.
	told := func(c *cobra.Command, name, password string) error {
		if t.json {
			return printJSON(c.OutOrStdout(), map[string]string{"name": name, "password": password})
		}
		_, err := fmt.Fprintf(c.OutOrStdout(), "%s signs in with the password %s (it is shown this once, and has to be changed)\n", clean(name), password)
		return err
	}
	var role, display string
	add := &cobra.Command{
		Use: "add NAME", Short: "Make an account; its password is shown this once", Args: args(1, "one name"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var out struct{ Password string }
				if err := cl.send(c.Context(), "POST", "/api/v1/accounts", map[string]string{"name": a[0], "displayName": display, "role": role}, &out); err != nil {
					return err
				}
				return told(c, a[0], out.Password)
			})
		},
	}
	add.Flags().StringVar(&role, "role", "Reader", "Reader, Responder, Contributor or Owner")
	add.Flags().StringVar(&display, "display-name", "", "the person's name")
	reset := &cobra.Command{
		Use: "reset NAME", Short: "Give an account a new password; its sessions end", Args: args(1, "one name"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var out struct{ Password string }
				if err := cl.send(c.Context(), "POST", "/api/v1/accounts/"+esc(a[0])+"/reset", map[string]any{}, &out); err != nil {
					return err
				}
				return told(c, a[0], out.Password)
			})
		},
	}
	var newRole, newDisplay string
	var disable, enable bool
	set := &cobra.Command{
		Use: "set NAME", Short: "Change an account's role or name, shut it out or let it in", Args: args(1, "one name"),
		Example: `  picket account set ann --role Contributor
  picket account set ann --disable`,
		RunE: func(c *cobra.Command, a []string) error {
			body := map[string]any{}
			if newRole != "" {
				body["role"] = newRole
			}
			if newDisplay != "" {
				body["displayName"] = newDisplay
			}
			if disable || enable {
				body["disabled"] = disable
			}
			if len(body) == 0 || disable && enable {
				return &exitError{exitUsage, errors.New("give --role, --display-name, --disable or --enable")}
			}
			return t.with(c.Context(), func(cl *client) error {
				return cl.send(c.Context(), "PATCH", "/api/v1/accounts/"+esc(a[0]), body, nil)
			})
		},
	}
	set.Flags().StringVar(&newRole, "role", "", "Reader, Responder, Contributor or Owner")
	set.Flags().StringVar(&newDisplay, "display-name", "", "the person's name")
	set.Flags().BoolVar(&disable, "disable", false, "shut it out; its sessions end")
	set.Flags().BoolVar(&enable, "enable", false, "let it in again")
	remove := &cobra.Command{
		Use: "remove NAME", Short: "Remove an account; what it did stays under its name", Args: args(1, "one name"),
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				return cl.do(c.Context(), "DELETE", "/api/v1/accounts/"+esc(a[0]), "", nil, nil)
			})
		},
	}
	return group(&cobra.Command{Use: "account", Short: "Accounts of the page, and new passwords"}, list, add, set, reset, remove)
}
