// Command clients asks and feeds picket with Microsoft's Go libraries; the environment names picket.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/Azure/azure-kusto-go/azkustodata"
	"github.com/Azure/azure-kusto-go/azkustodata/kql"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	ingestion "github.com/Azure/azure-sdk-for-go/sdk/monitor/ingestion/azlogs"
	query "github.com/Azure/azure-sdk-for-go/sdk/monitor/query/azlogs"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func check(ok bool, what string, got any) error {
	if ok {
		return nil
	}
	return fmt.Errorf("%s: %v", what, got)
}

func run(ctx context.Context) error {
	url, ws, db := os.Getenv("PICKET_ENDPOINT"), os.Getenv("PICKET_WORKSPACE_ID"), os.Getenv("PICKET_WORKSPACE_NAME")
	cred, err := azidentity.NewEnvironmentCredential(nil)
	if err != nil {
		return err
	}
	opts := azcore.ClientOptions{Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: url, Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
		query.ServiceName:              {Audience: "https://api.loganalytics.io", Endpoint: url},
		ingestion.ServiceNameIngestion: {Audience: "https://monitor.azure.com", Endpoint: url},
	}}}

	q, err := query.NewClient(cred, &query.ClientOptions{ClientOptions: opts})
	if err != nil {
		return err
	}
	ask := func(text string) (query.QueryWorkspaceResponse, error) {
		return q.QueryWorkspace(ctx, ws, query.QueryBody{Query: &text}, nil)
	}
	r, err := ask(`print l=42, s="ä", j=dynamic({"a":[1]})`)
	if err != nil {
		return err
	}
	if err := check(len(r.Tables) == 1 && fmt.Sprint(r.Tables[0].Rows[0]) == `[42 ä {"a":[1]}]`, "query", r.Tables); err != nil {
		return err
	}
	fmt.Println("ok query")
	_, err = ask("print x=1 | where nosuch == 1")
	if err := check(err != nil && strings.Contains(err.Error(), "nosuch"), "a wrong query", err); err != nil {
		return err
	}
	fmt.Println("ok error")
	if r, err = ask("range x from 1 to 500001 step 1"); err != nil {
		return err
	}
	if err := check(r.Error != nil && r.Error.Code == "PartialError" && len(r.Tables[0].Rows) == 500000, "partial", r.Error); err != nil {
		return err
	}
	fmt.Println("ok partial")
	text := "print n=7"
	res, err := q.QueryResource(ctx, os.Getenv("PICKET_RESOURCE_ID"), query.QueryBody{Query: &text}, nil)
	if err != nil {
		return err
	}
	if err := check(fmt.Sprint(res.Tables[0].Rows[0]) == "[7]", "resource", res.Tables); err != nil {
		return err
	}
	fmt.Println("ok resource")

	in, err := ingestion.NewClient(url, cred, &ingestion.ClientOptions{ClientOptions: opts})
	if err != nil {
		return err
	}
	var rows []map[string]any
	for i := range 4000 {
		rows = append(rows, map[string]any{"Computer": "go", "Count": i, "Level": i % 8, "Ok": i%2 == 0, "Detail": map[string]any{"i": i}})
	}
	body, err := json.Marshal(rows)
	if err != nil {
		return err
	}
	rule, stream := os.Getenv("PICKET_DCR_ID"), os.Getenv("PICKET_STREAM")
	if _, err := in.Upload(ctx, rule, stream, body, nil); err != nil {
		return err
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(body); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	enc := "gzip"
	if _, err := in.Upload(ctx, rule, stream, packed.Bytes(), &ingestion.UploadOptions{ContentEncoding: &enc}); err != nil {
		return err
	}
	if r, err = ask("Demo_CL | where Computer == 'go' | summarize count(), sum(Count)"); err != nil {
		return err
	}
	if err := check(fmt.Sprint(r.Tables[0].Rows[0]) == "[8000 1.5996e+07]", "upload", r.Tables[0].Rows); err != nil {
		return err
	}
	fmt.Println("ok upload")
	_, err = in.Upload(ctx, rule, "Custom-Nope_CL", body, nil)
	if err := check(err != nil && strings.Contains(err.Error(), "InvalidStream"), "a wrong stream", err); err != nil {
		return err
	}
	fmt.Println("ok upload error")

	k, err := azkustodata.New(azkustodata.NewConnectionStringBuilder(url).WithAadAppKey(os.Getenv("AZURE_CLIENT_ID"), os.Getenv("AZURE_CLIENT_SECRET"), "adfs"))
	if err != nil {
		return err
	}
	defer k.Close()
	ds, err := k.Query(ctx, db, kql.New("range x from 1 to 20000 step 1 | extend s='ä', d=datetime(2026-11-24), j=dynamic({\"a\":[1]})"))
	if err != nil {
		return err
	}
	t := ds.Tables()[0]
	if err := check(len(t.Rows()) == 20000 && t.Rows()[19999].Values()[0].String() == "20000", "kusto", len(t.Rows())); err != nil {
		return err
	}
	ds, err = k.Query(ctx, db, kql.New("print n + 1, s"), azkustodata.QueryParameters(kql.NewParameters().AddLong("n", 41).AddString("s", "a\"b")))
	if err != nil {
		return err
	}
	if err := check(fmt.Sprint(ds.Tables()[0].Rows()[0].Values()) == `[42 a"b]`, "parameters", ds.Tables()[0].Rows()); err != nil {
		return err
	}
	m, err := k.Mgmt(ctx, db, kql.New(".show tables"))
	if err != nil {
		return err
	}
	if err := check(len(m.Tables()[0].Rows()) > 0, "tables", m); err != nil {
		return err
	}
	_, err = k.Query(ctx, db, kql.New("print x=1 | where nosuch == 1"))
	if err := check(err != nil && strings.Contains(err.Error(), "nosuch"), "a wrong query", err); err != nil {
		return err
	}
	_, err = k.Query(ctx, db, kql.New("range x from 1 to 100 step 1"), azkustodata.CustomQueryOption("truncationmaxrecords", 10))
	if err := check(err != nil && strings.Contains(err.Error(), "E_QUERY_RESULT_SET_TOO_LARGE"), "a cut answer", err); err != nil {
		return err
	}
	fmt.Println("ok kusto")
	return nil
}
