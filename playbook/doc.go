// Package playbook runs Azure Logic Apps workflows outside Azure, durably: an azuredeploy.json is deployed as it
// is, its triggers fire, and each run records every action's start and result before the next begins, so that a
// crash resumes where it stopped.
//
//	e, err := playbook.New(playbook.Deps{DB: db, KeyFile: "…/playbook.key", PublicURL: "https://picket.example"})
//	go e.Run(ctx)
//	dep, err := e.Deploy(ctx, playbook.DeployRequest{Template: azuredeploy, Parameters: map[string]any{"PlaybookName": "P"}})
//	cb, err := e.CallbackURL(ctx, "P", "manual", playbook.CallbackOptions{})
//
// The languages are in the folders below: expr (expressions), definition (workflow definitions), arm (templates).
// Connectors are handed in (see [Connector]); what no connector serves is listed by name at deployment and
// refused before the first run. Every outbound request goes through one guard (see [Outbound]).
package playbook
