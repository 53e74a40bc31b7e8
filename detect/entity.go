package detect

import (
	"encoding/json"
	"net"
	"net/url"
	"slices"
	"sort"
	"strings"

	"github.com/google/uuid"
)

// kind is one entity type of Microsoft Sentinel (shared/reference/detect.md section 4).
type kind struct {
	name   string     // as a rule's mapping names it: "IP"
	typ    string     // as SecurityAlert.Entities names it: "ip"
	rest   string     // as the REST API names it: "Ip"
	fields []string   // identifiers a mapping may use
	strong [][]string // sets of fields that identify it
	label  []string   // fields to show, the first present wins
}

func (k *kind) has(id string) bool {
	return slices.ContainsFunc(k.fields, func(f string) bool { return strings.EqualFold(f, id) })
}

// kinds lists the entity types that rules may map.
var kinds = []kind{
	{
		"Account", "account", "Account",
		[]string{"FullName", "Name", "DisplayName", "NTDomain", "DnsDomain", "UPNSuffix", "Sid", "AadTenantId", "AadUserId", "PUID", "IsDomainJoined", "ObjectGuid", "CloudAppAccountId"},
		[][]string{{"Name", "UPNSuffix"}, {"AadUserId"}, {"Sid"}, {"Name", "NTDomain"}, {"Name", "DnsDomain"}, {"PUID"}, {"ObjectGuid"}},
		[]string{"Name", "AadUserId", "Sid", "ObjectGuid", "PUID"},
	},
	{
		"Host", "host", "Host",
		[]string{"FullName", "HostName", "NetBiosName", "DnsDomain", "NTDomain", "AzureID", "OMSAgentID", "OSFamily", "OSVersion", "IsDomainJoined"},
		[][]string{{"HostName", "NTDomain"}, {"HostName", "DnsDomain"}, {"NetBiosName", "NTDomain"}, {"NetBiosName", "DnsDomain"}, {"AzureID"}, {"OMSAgentID"}},
		[]string{"HostName", "NetBiosName", "AzureID"},
	},
	{"IP", "ip", "Ip", []string{"Address", "AddressScope"}, [][]string{{"Address"}}, []string{"Address"}},
	{"URL", "url", "Url", []string{"Url"}, [][]string{{"Url"}}, []string{"Url"}},
	{"File", "file", "File", []string{"Name", "Directory", "AlternateDataStreamName", "SizeInBytes"}, [][]string{{"Directory", "Name"}}, []string{"Name"}},
	{"FileHash", "filehash", "FileHash", []string{"Algorithm", "Value"}, [][]string{{"Algorithm", "Value"}}, []string{"Value"}},
	{"Process", "process", "Process", []string{"ProcessId", "CommandLine", "ElevationToken", "CreationTimeUtc"}, [][]string{{"ProcessId", "CommandLine", "CreationTimeUtc"}}, []string{"CommandLine", "ProcessId"}},
	{"AzureResource", "azure-resource", "AzureResource", []string{"ResourceId"}, [][]string{{"ResourceId"}}, []string{"ResourceId"}},
	{"CloudApplication", "cloud-application", "CloudApplication", []string{"AppId", "SaasId", "Name", "InstanceName", "InstanceId"}, [][]string{{"AppId"}, {"Name"}}, []string{"Name", "AppId"}},
	{"DNS", "dns", "DnsResolution", []string{"DomainName"}, [][]string{{"DomainName"}}, []string{"DomainName"}},
	{"Malware", "malware", "Malware", []string{"Name", "Category"}, [][]string{{"Name", "Category"}}, []string{"Name"}},
	{"RegistryKey", "registry-key", "RegistryKey", []string{"Hive", "Key"}, [][]string{{"Hive", "Key"}}, []string{"Key"}},
	{"RegistryValue", "registry-value", "RegistryValue", []string{"Name", "Value", "ValueType"}, [][]string{{"Name", "Value"}}, []string{"Name"}},
	{"SecurityGroup", "security-group", "SecurityGroup", []string{"DistinguishedName", "SID", "ObjectGuid"}, [][]string{{"DistinguishedName"}, {"SID"}, {"ObjectGuid"}}, []string{"DistinguishedName", "SID"}},
	{"IoTDevice", "iotdevice", "IoTDevice", []string{"DeviceId", "DeviceName", "DeviceType", "Manufacturer", "Model", "OperatingSystem", "MacAddress", "SerialNumber"}, [][]string{{"DeviceId"}}, []string{"DeviceName", "DeviceId"}},
	{"Mailbox", "mailbox", "Mailbox", []string{"MailboxPrimaryAddress", "DisplayName", "Upn", "ExternalDirectoryObjectId", "RiskLevel"}, [][]string{{"MailboxPrimaryAddress"}}, []string{"MailboxPrimaryAddress"}},
	{"MailCluster", "mail-cluster", "MailCluster", []string{"NetworkMessageIds", "CountByDeliveryStatus", "CountByThreatType", "CountByProtectionStatus", "Threats", "Query", "QueryTime", "MailCount", "IsVolumeAnomaly", "Source", "ClusterSourceIdentifier", "ClusterSourceType", "ClusterQueryStartTime", "ClusterQueryEndTime", "ClusterGroup"}, [][]string{{"Query", "Source"}}, []string{"Query"}},
	{"MailMessage", "mail-message", "MailMessage", []string{"Recipient", "Urls", "Threats", "Sender", "P1Sender", "P1SenderDisplayName", "P1SenderDomain", "SenderIP", "P2Sender", "P2SenderDisplayName", "P2SenderDomain", "ReceivedDate", "NetworkMessageId", "InternetMessageId", "Subject", "BodyFingerprintBin1", "AntispamDirection", "DeliveryAction", "DeliveryLocation", "Language", "ThreatDetectionMethods"}, [][]string{{"NetworkMessageId", "Recipient"}}, []string{"Subject", "NetworkMessageId"}},
	{"SubmissionMail", "SubmissionMail", "SubmissionMail", []string{"SubmissionId", "SubmissionDate", "Submitter", "NetworkMessageId", "Timestamp", "Recipient", "Sender", "SenderIp", "Subject", "ReportType"}, [][]string{{"SubmissionId", "Submitter", "NetworkMessageId", "Recipient"}}, []string{"SubmissionId"}},
}

func entityKind(name string) (*kind, bool) {
	for i := range kinds {
		if strings.EqualFold(kinds[i].name, name) {
			return &kinds[i], true
		}
	}
	return nil, false
}

func entityTypeNames() []string {
	out := make([]string, len(kinds))
	for i := range kinds {
		out[i] = kinds[i].name
	}
	return out
}

// Entity is one thing an alert speaks of.
type Entity struct {
	Kind   string            `json:"kind"` // "IP", "Host", …
	Fields map[string]string `json:"fields"`
}

// builtinAccounts never identify anybody when they stand alone.
var builtinAccounts = []string{"ADMIN", "ADMINISTRATOR", "SYSTEM", "ROOT", "ANONYMOUS", "AUTHENTICATED USER", "NETWORK", "NULL", "LOCAL SYSTEM", "LOCALSYSTEM", "NETWORK SERVICE"}

// newEntity builds an entity from mapped identifiers, splitting FullName and DisplayName into parts. ok is
// false when nothing is left that identifies it.
func newEntity(k *kind, fields map[string]string) (Entity, bool) {
	e := Entity{Kind: k.name, Fields: map[string]string{}}
	for _, id := range k.fields {
		v := strings.TrimSpace(fields[id])
		if v == "" {
			continue
		}
		switch {
		case k.name == "Account" && (id == "FullName" || id == "DisplayName"):
			splitAccount(e.Fields, v)
		case k.name == "Account" && id == "Name":
			splitAccount(e.Fields, v)
		case k.name == "Host" && (id == "FullName" || id == "HostName"):
			splitHost(e.Fields, v)
		default:
			e.Fields[id] = v
		}
	}
	if len(e.Fields) == 0 {
		return e, false
	}
	if k.name == "Account" && len(e.Fields) == 1 && slices.Contains(builtinAccounts, strings.ToUpper(e.Fields["Name"])) {
		return e, false
	}
	return e, true
}

func setNew(m map[string]string, k, v string) {
	if _, has := m[k]; !has && v != "" {
		m[k] = v
	}
}

func splitAccount(m map[string]string, v string) {
	if d, n, ok := strings.Cut(v, `\`); ok && d != "" && n != "" {
		setNew(m, "NTDomain", d)
		setNew(m, "Name", n)
		return
	}
	if i := strings.LastIndexByte(v, '@'); i > 0 && i < len(v)-1 {
		setNew(m, "Name", v[:i])
		setNew(m, "UPNSuffix", v[i+1:])
		return
	}
	setNew(m, "Name", v)
}

func splitHost(m map[string]string, v string) {
	if d, n, ok := strings.Cut(v, `\`); ok && d != "" && n != "" {
		setNew(m, "NTDomain", d)
		setNew(m, "HostName", n)
		return
	}
	if n, d, ok := strings.Cut(v, "."); ok && n != "" && d != "" && net.ParseIP(v) == nil {
		setNew(m, "HostName", n)
		setNew(m, "DnsDomain", d)
		return
	}
	setNew(m, "HostName", v)
}

// Keys are what the entity is recognised by in other alerts: its strong identifiers, or, when it has none, all
// it has. Case does not count.
func (e Entity) Keys() []string {
	k, ok := entityKind(e.Kind)
	if !ok {
		return nil
	}
	var out []string
	for _, set := range k.strong {
		parts := []string{k.typ}
		for _, f := range set {
			v, has := e.Fields[f]
			if !has || (k.name == "URL" && !absolute(v)) {
				parts = nil
				break
			}
			parts = append(parts, f+"="+strings.ToLower(v))
		}
		if parts != nil {
			out = append(out, strings.Join(parts, "|"))
		}
	}
	if len(out) == 0 {
		out = append(out, e.all(k))
	}
	return out
}

func (e Entity) all(k *kind) string {
	names := make([]string, 0, len(e.Fields))
	for f := range e.Fields {
		names = append(names, f)
	}
	sort.Strings(names)
	parts := []string{k.typ}
	for _, f := range names {
		parts = append(parts, f+"="+strings.ToLower(e.Fields[f]))
	}
	return strings.Join(parts, "|")
}

func absolute(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && u.Host != ""
}

// entitySpace makes entity ids that stay the same for the same thing.
var entitySpace = uuid.MustParse("6f1c6a0e-3c53-5f0b-9a37-0f6d2f7b6a11")

// ID is the entity's GUID: the same thing has the same id in every alert.
func (e Entity) ID() string { return uuid.NewSHA1(entitySpace, []byte(e.Keys()[0])).String() }

// Label is what a person sees.
func (e Entity) Label() string {
	k, ok := entityKind(e.Kind)
	if !ok {
		return e.Kind
	}
	base := ""
	for _, f := range k.label {
		if v := e.Fields[f]; v != "" {
			base = v
			break
		}
	}
	switch k.name {
	case "Account":
		if s := e.Fields["UPNSuffix"]; s != "" {
			return base + "@" + s
		}
		if d := e.Fields["NTDomain"]; d != "" {
			return d + `\` + base
		}
	case "Host":
		if d := e.Fields["DnsDomain"]; d != "" {
			return base + "." + d
		}
	case "File":
		if d := e.Fields["Directory"]; d != "" {
			return strings.TrimRight(d, `\/`) + `\` + base
		}
	}
	return base
}

// RESTKind is the entity's kind in the REST API: "Ip" for IP.
func (e Entity) RESTKind() string {
	if k, ok := entityKind(e.Kind); ok {
		return k.rest
	}
	return e.Kind
}

// restNames are the identifiers that the REST API names otherwise than by lower-casing their first letter.
var restNames = map[string]string{
	"Account.Name": "accountName", "FileHash.Value": "hashValue", "File.Name": "fileName", "Malware.Name": "malwareName",
	"CloudApplication.Name": "appName", "RegistryValue.Name": "valueName", "RegistryValue.Value": "valueData",
	"SecurityGroup.SID": "sid", "Account.PUID": "puid", "Host.OMSAgentID": "omsAgentID", "Host.OSFamily": "osFamily", "Host.OSVersion": "osVersion", "Account.NTDomain": "ntDomain", "Host.NTDomain": "ntDomain",
}

// RESTProperties are the entity's properties in the REST API: camelCase names and friendlyName.
func (e Entity) RESTProperties() map[string]any {
	out := map[string]any{"friendlyName": e.Label()}
	for f, v := range e.Fields {
		n, ok := restNames[e.Kind+"."+f]
		if !ok {
			n = strings.ToLower(f[:1]) + f[1:]
		}
		out[n] = v
	}
	return out
}

// entitiesJSON writes entities as SecurityAlert.Entities holds them: Json.NET references, Type in lower case.
func entitiesJSON(es []Entity) (string, error) {
	out := make([]map[string]any, 0, len(es))
	for i, e := range es {
		m := map[string]any{"$id": itoa(i + 2)}
		for f, v := range e.Fields {
			m[f] = v
		}
		if k, ok := entityKind(e.Kind); ok {
			m["Type"] = k.typ
		}
		out = append(out, m)
	}
	b, err := json.Marshal(out)
	return string(b), err
}

// legacyColumns are the old way to map: columns of these names, unless the rule has mappings of its own.
var legacyColumns = []EntityMapping{
	{"Account", []Field{{"FullName", "AccountCustomEntity"}}},
	{"Host", []Field{{"FullName", "HostCustomEntity"}}},
	{"IP", []Field{{"Address", "IPCustomEntity"}}},
	{"URL", []Field{{"Url", "URLCustomEntity"}}},
	{"FileHash", []Field{{"Value", "FileHashCustomEntity"}}},
}

// maxEntities is the most entities one alert holds; the rest is counted, not kept.
const maxEntities = 500

// mapEntities finds the distinct entities of rows under the rule's mappings, in order of appearance, and how
// many were left out past the limit.
func mapEntities(r *Rule, rows *rowSet, idx []int) (es []Entity, dropped int) {
	maps := r.EntityMappings
	if len(maps) == 0 {
		maps = legacyColumns
	}
	seen := map[string]bool{}
	for _, m := range maps {
		k, ok := entityKind(m.Type)
		if !ok {
			continue
		}
		cols := make([]int, len(m.Fields))
		names := make([]string, len(m.Fields))
		any := false
		for i, f := range m.Fields {
			cols[i] = rows.column(f.Column)
			any = any || cols[i] >= 0
			for _, n := range k.fields {
				if strings.EqualFold(n, f.Identifier) {
					names[i] = n
				}
			}
		}
		if !any {
			continue
		}
		for _, ri := range idx {
			fields := map[string]string{}
			for i := range m.Fields {
				if cols[i] >= 0 {
					fields[names[i]] = rows.text(ri, cols[i])
				}
			}
			e, ok := newEntity(k, fields)
			if !ok {
				continue
			}
			id := e.all(k)
			if seen[id] {
				continue
			}
			seen[id] = true
			if len(es) >= maxEntities {
				dropped++
				continue
			}
			es = append(es, e)
		}
	}
	return es, dropped
}
