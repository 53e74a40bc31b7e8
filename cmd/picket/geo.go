package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func geoCommand(t *target) *cobra.Command {
	var columns []string
	imp := &cobra.Command{
		Use: "import FILE…", Short: "Import MaxMind-format, CSV or Tor list files", Args: argsBetween(1, 0, "files"),
		Long: `Imports files that say where addresses are, whose network they are in, and which are Tor exits. Nothing is fetched.

  MaxMind format (.mmdb)  City, Country, ASN and their like, from any maker
  CSV (.csv)              one range a line, with a header line of these names in any order:
                            start,end or cidr        the addresses
                            country,region,city,postal,timezone,lat,lon
                            asn,name                 number and name of the network
                          Without a header line: start,end,asn,name or start,end,country,region,city,lat,lon,asn,name,
                          or what --columns says.
  Tor exits               one address a line, or the form of exit-addresses

A file of the same name replaces the one before.`,
		Example: `  picket geo import places.csv GeoLite2-ASN.mmdb tor-exits.txt
  picket geo import --columns start,end,country ranges.csv`,
		RunE: func(c *cobra.Command, a []string) error {
			return t.with(c.Context(), func(cl *client) error {
				for _, path := range a {
					var out struct {
						Name    string    `json:"name"`
						Kind    string    `json:"kind"`
						Entries int64     `json:"entries"`
						Built   time.Time `json:"built,omitzero"`
						Summary string    `json:"summary"`
					}
					if err := cl.uploadFile(c, "/api/v1/geo/import", path, map[string]string{"columns": strings.Join(columns, ",")}, &out); err != nil {
						return fmt.Errorf("%s: %w", path, err)
					}
					if t.json {
						if err := printJSON(c.OutOrStdout(), out); err != nil {
							return err
						}
						continue
					}
					fmt.Fprintf(c.OutOrStdout(), "imported %s: %s\n", path, out.Summary)
				}
				return nil
			})
		},
	}
	imp.Flags().StringSliceVar(&columns, "columns", nil, "names of the columns of a CSV without a header line")
	status := &cobra.Command{
		Use: "status", Short: "Show what is imported and how old it is", Args: args(0, "no arguments"),
		RunE: func(c *cobra.Command, _ []string) error {
			return t.with(c.Context(), func(cl *client) error {
				var raw json.RawMessage
				if err := cl.get(c.Context(), "/api/v1/geo", &raw); err != nil {
					return err
				}
				if t.json {
					return printJSON(c.OutOrStdout(), raw)
				}
				var out struct {
					Value []struct {
						Name, Kind      string
						Entries         int64
						Imported, Built time.Time
					}
					TorUnknownSince time.Time
				}
				if err := json.Unmarshal(raw, &out); err != nil {
					return err
				}
				rows := [][]string{}
				for _, f := range out.Value {
					rows = append(rows, []string{f.Name, f.Kind, fmt.Sprint(f.Entries), when(f.Imported), when(f.Built)})
				}
				if err := table(c.OutOrStdout(), []string{"FILE", "KIND", "ENTRIES", "IMPORTED", "BUILT"}, rows); err != nil {
					return err
				}
				if !out.TorUnknownSince.IsZero() {
					fmt.Fprintf(c.OutOrStdout(), "whether an address is a Tor exit is unknown since %s: import a list of exits\n", when(out.TorUnknownSince))
				}
				return nil
			})
		},
	}
	return group(&cobra.Command{Use: "geo", Short: "Places, networks and Tor: files that you bring"}, imp, status)
}

// uploadFile sends a file as multipart/form-data in the part "file", after the fields that are not empty, and
// shows how far it is when somebody watches.
func (c *client) uploadFile(cmd *cobra.Command, path, file string, fields map[string]string, out any) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return errors.New("is no regular file")
	}
	pr, pw := io.Pipe()
	defer pr.Close()
	m := multipart.NewWriter(pw)
	go func() {
		var err error
		for k, v := range fields {
			if v != "" {
				err = errors.Join(err, m.WriteField(k, v))
			}
		}
		w, e := m.CreateFormFile("file", filepath.Base(file))
		if err = errors.Join(err, e); err == nil {
			_, err = io.Copy(w, &uploadBar{r: f, size: st.Size(), what: filepath.Base(file), to: watcher()})
		}
		pw.CloseWithError(errors.Join(err, m.Close()))
	}()
	return c.stream(cmd.Context(), "POST", path, m.FormDataContentType(), pr, out)
}

// watcher is standard error when it is a terminal, else nil: scripts get no progress bars.
func watcher() io.Writer {
	st, err := os.Stderr.Stat()
	if err != nil || st.Mode()&os.ModeCharDevice == 0 || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return os.Stderr
}

// uploadBar draws a bar while it is read.
type uploadBar struct {
	r          io.Reader
	size, done int64
	what       string
	to         io.Writer // nil draws nothing
	drawn      time.Time
}

func (p *uploadBar) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.done += int64(n)
	if p.to != nil && p.size > 1<<20 && (err != nil || time.Since(p.drawn) > 100*time.Millisecond) {
		p.drawn = time.Now()
		const width = 30
		k := int(min(p.done, p.size) * width / p.size)
		fmt.Fprintf(p.to, "\r%s [%s%s] %3d%%", clean(p.what), strings.Repeat("=", k), strings.Repeat(" ", width-k), min(p.done, p.size)*100/p.size)
		if err != nil {
			fmt.Fprint(p.to, "\r\x1b[K")
		}
	}
	return n, err
}
