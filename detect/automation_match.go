package detect

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var textOperators = []string{"Equals", "NotEquals", "Contains", "NotContains", "StartsWith", "NotStartsWith", "EndsWith", "NotEndsWith"}

// entityProperties maps the condition properties of entities to kind and identifier. A kind that an alert never has
// here makes a condition that no entity meets, not an error: imported rules stay whole.
var entityProperties = map[string][2]string{
	"AccountAadTenantId": {"Account", "AadTenantId"}, "AccountAadUserId": {"Account", "AadUserId"}, "AccountName": {"Account", "Name"},
	"AccountNTDomain": {"Account", "NTDomain"}, "AccountPUID": {"Account", "PUID"}, "AccountSid": {"Account", "Sid"},
	"AccountObjectGuid": {"Account", "ObjectGuid"}, "AccountUPNSuffix": {"Account", "UPNSuffix"},
	"AzureResourceResourceId": {"AzureResource", "ResourceId"}, "AzureResourceSubscriptionId": {"AzureResource", "ResourceId"},
	"CloudApplicationAppId": {"CloudApplication", "AppId"}, "CloudApplicationAppName": {"CloudApplication", "Name"},
	"DNSDomainName": {"DNS", "DomainName"}, "FileDirectory": {"File", "Directory"}, "FileName": {"File", "Name"}, "FileHashValue": {"FileHash", "Value"},
	"HostAzureID": {"Host", "AzureID"}, "HostName": {"Host", "HostName"}, "HostNetBiosName": {"Host", "NetBiosName"}, "HostNTDomain": {"Host", "NTDomain"}, "HostOSVersion": {"Host", "OSVersion"},
	"IoTDeviceId": {"IoTDevice", "DeviceId"}, "IoTDeviceName": {"IoTDevice", "DeviceName"}, "IoTDeviceType": {"IoTDevice", "DeviceType"}, "IoTDeviceVendor": {"IoTDevice", "Manufacturer"},
	"IoTDeviceModel": {"IoTDevice", "Model"}, "IoTDeviceOperatingSystem": {"IoTDevice", "OperatingSystem"}, "IPAddress": {"IP", "Address"},
	"MailboxDisplayName": {"Mailbox", "DisplayName"}, "MailboxPrimaryAddress": {"Mailbox", "MailboxPrimaryAddress"}, "MailboxUPN": {"Mailbox", "Upn"},
	"MailMessageDeliveryAction": {"MailMessage", "DeliveryAction"}, "MailMessageDeliveryLocation": {"MailMessage", "DeliveryLocation"}, "MailMessageRecipient": {"MailMessage", "Recipient"},
	"MailMessageSenderIP": {"MailMessage", "SenderIP"}, "MailMessageSubject": {"MailMessage", "Subject"}, "MailMessageP1Sender": {"MailMessage", "P1Sender"}, "MailMessageP2Sender": {"MailMessage", "P2Sender"},
	"MalwareCategory": {"Malware", "Category"}, "MalwareName": {"Malware", "Name"}, "ProcessCommandLine": {"Process", "CommandLine"}, "ProcessId": {"Process", "ProcessId"},
	"RegistryKey": {"RegistryKey", "Key"}, "RegistryValueData": {"RegistryValue", "Value"}, "Url": {"URL", "Url"},
}

// incidentProperties are the condition properties of the incident itself and of its alerts.
var incidentProperties = []string{
	"IncidentTitle", "IncidentDescription", "IncidentSeverity", "IncidentStatus", "IncidentRelatedAnalyticRuleIds", "IncidentTactics", "IncidentLabel",
	"IncidentProviderName", "IncidentUpdatedBySource", "IncidentCustomDetailsKey", "IncidentCustomDetailsValue", "AlertProductNames", "AlertAnalyticRuleIds",
}

func fold(list []string, s string) (string, bool) {
	i := slices.IndexFunc(list, func(x string) bool { return strings.EqualFold(x, s) })
	if i < 0 {
		return "", false
	}
	return list[i], true
}

func (c *Condition) validate(t *Triggers, n *int, depth int) error {
	if *n++; *n > maxConditions {
		return fmt.Errorf("more than %d conditions", maxConditions)
	}
	if depth > maxConditionDepth {
		return fmt.Errorf("conditions are nested more than %d deep", maxConditionDepth)
	}
	p := &c.Properties
	values := func() error {
		if len(p.Values) == 0 {
			return errors.New("propertyValues: at least one value")
		}
		if len(p.Values) > maxConditionValues {
			return fmt.Errorf("propertyValues: %d, %d at most", len(p.Values), maxConditionValues)
		}
		op, ok := fold(textOperators, p.Operator)
		if !ok {
			return fmt.Errorf("operator: %q is not one of %s", p.Operator, strings.Join(textOperators, ", "))
		}
		p.Operator = op
		return nil
	}
	updated := func() error {
		if t.On != "Incidents" || t.When != "Updated" {
			return fmt.Errorf("conditionType: %s needs a rule that triggers on updated incidents", c.Type)
		}
		return nil
	}
	inner := func(list []Condition, at string) error {
		if len(list) == 0 {
			return fmt.Errorf("%s: at least one condition", at)
		}
		for i := range list {
			if err := list[i].validate(t, n, depth+1); err != nil {
				return fmt.Errorf("%s[%d]: %w", at, i, err)
			}
		}
		return nil
	}
	switch c.Type {
	case "Property":
		if _, ok := entityProperties[p.Property]; !ok && !slices.Contains(incidentProperties, p.Property) {
			return fmt.Errorf("propertyName: %q is not a property that conditions know", p.Property)
		}
		if t.On == "Alerts" && p.Property != "AlertAnalyticRuleIds" {
			return fmt.Errorf("propertyName: a rule on alerts can only test AlertAnalyticRuleIds, not %s", p.Property)
		}
		return values()
	case "PropertyChanged":
		if err := updated(); err != nil {
			return err
		}
		if !slices.Contains([]string{"IncidentSeverity", "IncidentStatus", "IncidentOwner"}, p.Property) {
			return fmt.Errorf("propertyName: %q is not one of IncidentSeverity, IncidentStatus, IncidentOwner", p.Property)
		}
		switch p.Change {
		case "":
			return nil
		case "ChangedFrom", "ChangedTo":
			return values()
		}
		return fmt.Errorf("changeType: %q is not one of ChangedFrom, ChangedTo", p.Change)
	case "PropertyArrayChanged":
		if err := updated(); err != nil {
			return err
		}
		if !slices.Contains([]string{"Alerts", "Labels", "Tactics", "Comments"}, p.Array) {
			return fmt.Errorf("arrayType: %q is not one of Alerts, Labels, Tactics, Comments", p.Array)
		}
		if p.Change != "Added" {
			return fmt.Errorf("changeType: %q is not Added", p.Change)
		}
		return nil
	case "PropertyArray":
		if !slices.Contains([]string{"CustomDetails", "CustomDetailValues"}, p.Array) {
			return fmt.Errorf("arrayType: %q is not one of CustomDetails, CustomDetailValues", p.Array)
		}
		if !slices.Contains([]string{"AnyItem", "AllItems"}, p.ArrayCondition) {
			return fmt.Errorf("arrayConditionType: %q is not one of AnyItem, AllItems", p.ArrayCondition)
		}
		return inner(p.Items, "itemConditions")
	case "Boolean":
		if p.Operator != "And" && p.Operator != "Or" {
			return fmt.Errorf("operator: %q is not one of And, Or", p.Operator)
		}
		return inner(p.Inner, "innerConditions")
	}
	return fmt.Errorf("conditionType: %q is not one of Property, PropertyArray, PropertyChanged, PropertyArrayChanged, Boolean", c.Type)
}

// subject is what conditions are asked about.
type subject struct {
	ev     *Event
	in     *Incident // nil for an alert
	alerts []*Alert
}

func (s *subject) all(conds []Condition) bool {
	for i := range conds {
		if !s.holds(&conds[i]) {
			return false
		}
	}
	return true
}

func (s *subject) holds(c *Condition) bool {
	p := &c.Properties
	switch c.Type {
	case "Property":
		want := p.Values
		if p.Property == "AlertAnalyticRuleIds" || p.Property == "IncidentRelatedAnalyticRuleIds" {
			want = make([]string, len(p.Values)) // a rule is named by its GUID, its name or its whole resource id
			for i, v := range p.Values {
				want[i] = v[strings.LastIndexByte(v, '/')+1:]
			}
		}
		return compare(p.Operator, s.values(p.Property), want)
	case "PropertyChanged":
		for _, ch := range s.ev.Changes {
			if "Incident"+ch.Property != p.Property {
				continue
			}
			switch p.Change {
			case "ChangedFrom":
				return compare(p.Operator, []string{ch.From}, p.Values)
			case "ChangedTo":
				return compare(p.Operator, []string{ch.To}, p.Values)
			}
			return true
		}
		return false
	case "PropertyArrayChanged":
		return slices.Contains(s.ev.Added, p.Array)
	case "PropertyArray":
		return s.details(p)
	case "Boolean":
		if p.Operator == "Or" {
			return slices.ContainsFunc(p.Inner, func(in Condition) bool { return s.holds(&in) })
		}
		return s.all(p.Inner)
	}
	return false
}

// details asks the custom details of the alerts, one by one.
func (s *subject) details(p *ConditionProps) bool {
	var items [][2][]string // keys and values of an item
	for _, a := range s.alerts {
		for k, vs := range a.CustomDetails {
			if p.Array == "CustomDetails" {
				items = append(items, [2][]string{{k}, vs})
				continue
			}
			for _, v := range vs {
				items = append(items, [2][]string{{k}, {v}})
			}
		}
	}
	if len(items) == 0 {
		return false
	}
	for _, it := range items {
		ok := true
		for i := range p.Items {
			q := &p.Items[i].Properties
			vals := it[1]
			if q.Property == "IncidentCustomDetailsKey" {
				vals = it[0]
			}
			ok = ok && compare(q.Operator, vals, q.Values)
		}
		if ok && p.ArrayCondition == "AnyItem" {
			return true
		}
		if !ok && p.ArrayCondition == "AllItems" {
			return false
		}
	}
	return p.ArrayCondition == "AllItems"
}

// compare holds when any value meets any wanted one; a negated operator holds when none does. Case does not count.
func compare(op string, have, want []string) bool {
	negated := false
	if rest, ok := strings.CutPrefix(op, "Not"); ok {
		op, negated = rest, true
	}
	hit := slices.ContainsFunc(have, func(h string) bool {
		h = strings.ToLower(h)
		return slices.ContainsFunc(want, func(w string) bool {
			w = strings.ToLower(w)
			switch op {
			case "Equals":
				return h == w
			case "Contains":
				return strings.Contains(h, w)
			case "StartsWith":
				return strings.HasPrefix(h, w)
			case "EndsWith":
				return strings.HasSuffix(h, w)
			}
			return false
		})
	})
	return hit != negated
}

// values are what the subject has of a property.
func (s *subject) values(property string) []string {
	if e, ok := entityProperties[property]; ok {
		var out []string
		for _, a := range s.alerts {
			for _, x := range a.Entities {
				v := x.Fields[e[1]]
				if x.Kind != e[0] || v == "" {
					continue
				}
				if property == "AzureResourceSubscriptionId" {
					parts := strings.Split(v, "/")
					if i := slices.IndexFunc(parts, func(p string) bool { return strings.EqualFold(p, "subscriptions") }); i >= 0 && i+1 < len(parts) {
						out = append(out, parts[i+1])
					}
					continue
				}
				out = append(out, v)
			}
		}
		return out
	}
	var out []string
	switch property {
	case "AlertAnalyticRuleIds", "IncidentRelatedAnalyticRuleIds":
		for _, a := range s.alerts {
			out = append(out, a.RuleID, a.RuleName)
		}
		return out
	case "IncidentCustomDetailsKey", "IncidentCustomDetailsValue":
		for _, a := range s.alerts {
			for k, vs := range a.CustomDetails {
				if property == "IncidentCustomDetailsKey" {
					out = append(out, k)
				} else {
					out = append(out, vs...)
				}
			}
		}
		return out
	}
	if s.in == nil {
		return nil
	}
	switch property {
	case "IncidentTitle":
		return []string{s.in.Title}
	case "IncidentDescription":
		return []string{s.in.Description}
	case "IncidentSeverity":
		return []string{string(s.in.Severity)}
	case "IncidentStatus":
		return []string{s.in.Status}
	case "IncidentTactics":
		return s.in.Tactics
	case "IncidentLabel":
		for _, l := range s.in.Labels {
			out = append(out, l.Name)
		}
	case "IncidentProviderName":
		return []string{"Azure Sentinel"}
	case "IncidentUpdatedBySource":
		return []string{s.ev.Source}
	case "AlertProductNames":
		return s.in.Products
	}
	return out
}
