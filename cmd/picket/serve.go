package main

import (
	"fmt"
	"os"
	"picket"

	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	var file string
	f := picket.DefaultConfig() // what the flags set
	c := &cobra.Command{
		Use: "serve", Short: "Run the workspace", Args: args(0, "no arguments"),
		Example: `  picket serve --demo --data demo --listen 127.0.0.1:8443 --trip 127.0.0.1:8081 --dns 127.0.0.1:8053`,
		RunE: func(c *cobra.Command, _ []string) error {
			cfg := picket.DefaultConfig()
			if file != "" {
				if err := cfg.LoadFile(file); err != nil {
					return &exitError{exitUsage, err}
				}
			}
			if err := cfg.LoadEnv(os.LookupEnv); err != nil {
				return &exitError{exitUsage, err}
			}
			set := func(name string, apply func()) {
				if c.Flags().Changed(name) {
					apply()
				}
			}
			set("data", func() { cfg.Data = c.Flag("data").Value.String() })
			set("listen", func() { cfg.Listen = f.Listen })
			set("trip", func() { cfg.Trip = f.Trip })
			set("dns", func() { cfg.DNS = f.DNS })
			set("syslog", func() { cfg.Syslog = f.Syslog })
			set("syslog-tls", func() { cfg.SyslogTLS = f.SyslogTLS })
			set("http", func() { cfg.HTTP = f.HTTP })
			set("public-url", func() { cfg.PublicURL = f.PublicURL })
			set("trip-url", func() { cfg.TripURL = f.TripURL })
			set("dns-domain", func() { cfg.DNSDomain = f.DNSDomain })
			set("cert", func() { cfg.Cert = f.Cert })
			set("key", func() { cfg.Key = f.Key })
			set("demo", func() { cfg.Demo = f.Demo })
			set("content", func() { cfg.Content = f.Content })
			set("trusted-proxies", func() { cfg.TrustedProxies = f.TrustedProxies })
			set("outbound", func() { cfg.Outbound = f.Outbound })
			if err := cfg.Validate(); err != nil {
				return &exitError{exitUsage, err}
			}
			p, err := picket.Open(c.Context(), cfg)
			if err != nil {
				return err
			}
			if err := p.Start(c.Context()); err != nil {
				_ = p.Close() // the error of Start says what went wrong
				if c.Context().Err() != nil {
					return nil // told to end while it was starting
				}
				return err
			}
			fmt.Fprint(c.OutOrStdout(), p.Welcome())
			err = p.Run(c.Context())
			if cerr := p.Close(); err == nil {
				err = cerr
			}
			return err
		},
	}
	fl := c.Flags()
	fl.StringVar(&file, "config", os.Getenv("PICKET_CONFIG"), "YAML file of settings")
	fl.StringVar(&f.Listen, "listen", f.Listen, "address of the page and the APIs (TLS)")
	fl.StringVar(&f.Trip, "trip", f.Trip, "address that tokens trip (HTTP, nothing else is served there)")
	fl.StringVar(&f.DNS, "dns", f.DNS, "address that DNS tokens trip, UDP and TCP; empty is off")
	fl.StringVar(&f.Syslog, "syslog", f.Syslog, "address for syslog, CEF and LEEF, UDP and TCP; empty is off")
	fl.StringVar(&f.SyslogTLS, "syslog-tls", f.SyslogTLS, "address for syslog over TLS; empty is off")
	fl.StringVar(&f.HTTP, "http", f.HTTP, "loopback address for plain HTTP: collector and callbacks; empty is off")
	fl.StringVar(&f.PublicURL, "public-url", "", "how the world reaches --listen")
	fl.StringVar(&f.TripURL, "trip-url", "", "how the world reaches --trip; documents hold it")
	fl.StringVar(&f.DNSDomain, "dns-domain", "", "zone that is delegated to --dns")
	fl.StringVar(&f.Cert, "cert", "", "PEM file of a certificate of your own")
	fl.StringVar(&f.Key, "key", "", "PEM file of its key")
	fl.BoolVar(&f.Demo, "demo", false, "set up the walk-through on first start and write DATA/demo.json")
	fl.StringVar(&f.Content, "content", f.Content, "folder that holds the community's seed/Ingest-CanaryTokens, for --demo")
	fl.StringSliceVar(&f.TrustedProxies, "trusted-proxies", nil, "CIDRs whose X-Forwarded-For is believed")
	fl.StringSliceVar(&f.Outbound, "outbound", nil, "hosts and CIDRs that playbooks and webhooks may reach although they are not public")
	return c
}
