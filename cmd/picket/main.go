// Command picket is a self-hosted security data workspace that runs Microsoft Sentinel and Log Analytics content
// outside Azure. `picket serve` runs it; the other commands talk to a running server over the socket in its data
// folder or over PICKET_URL, and open the folder themselves when nobody holds it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes that scripts can use.
const (
	exitFailure  = 1 // it was tried and did not work
	exitUsage    = 2 // the command line is wrong
	exitNotFound = 3 // the thing that was named does not exist
	exitRefused  = 4 // no or too weak a credential
)

// exitError carries an exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot()
	err := root.ExecuteContext(ctx)
	if err == nil {
		return
	}
	fmt.Fprintln(os.Stderr, "picket: "+err.Error())
	os.Exit(exitCode(err))
}

func exitCode(err error) int {
	var x *exitError
	switch {
	case errors.As(err, &x):
		return x.code
	case strings.HasPrefix(err.Error(), "unknown command"), strings.HasPrefix(err.Error(), "required flag"): // cobra's own, without a type
		return exitUsage
	}
	return exitFailure
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "picket",
		Short:         "A self-hosted security data workspace that runs Sentinel content",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &exitError{exitUsage, fmt.Errorf("%w\nSee '%s --help'", err, c.CommandPath())}
	})
	var t target
	root.PersistentFlags().StringVar(&t.data, "data", envOr("PICKET_DATA", "picket-data"), "data folder whose server the command talks to")
	root.PersistentFlags().StringVar(&t.url, "url", os.Getenv("PICKET_URL"), "server to talk to in place of the data folder's")
	root.PersistentFlags().StringVar(&t.token, "token", os.Getenv("PICKET_TOKEN"), "bearer token for --url")
	root.PersistentFlags().StringVar(&t.ca, "ca", os.Getenv("PICKET_CA"), "PEM file of the authority that signed the server's certificate")
	root.PersistentFlags().BoolVar(&t.json, "json", false, "print JSON")
	root.AddCommand(serveCommand(), queryCommand(&t), importCommand(&t), kqlCommand(&t), canaryCommand(&t), playbookCommand(&t), secretCommand(&t), ruleCommand(&t), automationCommand(&t), watchlistCommand(&t), incidentCommand(&t), geoCommand(&t), backupCommand(&t), trustCommand(&t), envCommand(&t), accessCommand(&t), accountCommand(&t))
	return root
}

func envOr(key, otherwise string) string {
	if v, ok := os.LookupEnv(key); ok {
		return v
	}
	return otherwise
}

// args checks the number of arguments and says what they are.
func args(n int, what string) cobra.PositionalArgs { return argsBetween(n, n, what) }

// argsBetween allows from lo to hi arguments; hi 0 is without end when lo is more.
func argsBetween(lo, hi int, what string) cobra.PositionalArgs {
	return func(c *cobra.Command, a []string) error {
		if len(a) >= lo && (len(a) <= hi || hi < lo) {
			return nil
		}
		got := fmt.Sprint("got ", len(a), " arguments")
		switch len(a) {
		case 0:
			got = "got none"
		case 1:
			got = fmt.Sprintf("got %q", a[0])
		}
		return &exitError{exitUsage, fmt.Errorf("%s takes %s; %s. See '%s --help'", c.CommandPath(), what, got, c.CommandPath())}
	}
}

// group is a command that only holds others: alone it prints its help, with a name that it does not know it says so.
func group(c *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	c.AddCommand(subs...)
	c.Args = func(c *cobra.Command, a []string) error {
		if len(a) == 0 {
			return nil
		}
		var names []string
		for _, s := range c.Commands() {
			if s.IsAvailableCommand() && s.Name() != "help" {
				names = append(names, s.Name())
			}
		}
		return &exitError{exitUsage, fmt.Errorf("%s has no command %q; there are: %s", c.CommandPath(), a[0], strings.Join(names, ", "))}
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return c
}
