package eval

import (
	"picket/kql/value"
)

// UserAgents knows the texts by which programs name themselves in HTTP requests. Parts that it doesn't know are empty, a
// family that it doesn't know is Other. It is called by many goroutines.
type UserAgents interface {
	Browser(agent string) (family, major, minor, patch string)
	System(agent string) (family, major, minor, patch, patchMinor string)
	Device(agent string) (family, brand, model string)
}

// parseUserAgent is parse_user_agent(text, look-for): a bag with Browser, OperatingSystem and Device, those of them that
// look-for names (a text, or an array of texts: browser, os, device).
func parseUserAgent(c *Ctx, _ value.Type, n int, args []*value.Vector) (*value.Vector, error) {
	if c.Agents == nil {
		return nil, refuse("parse_user_agent", "no pattern database for user agents is built in")
	}
	s, want := texts(args[0]), dyns(args[1])
	out := value.New(value.Dynamic, n)
	for i := range out.D {
		var parts []any
		switch w := want.at(i).(type) {
		case []any:
			parts = w
		case nil:
			continue
		default:
			parts = []any{w}
		}
		bag := value.NewBag()
		for _, p := range parts {
			name, made := "", (*value.Bag)(nil)
			part, _ := p.(string)
			switch agent := s.at(i); part {
			case "browser":
				name, made = "Browser", remember(c, "browser", agent, func() *value.Bag {
					family, major, minor, patch := c.Agents.Browser(agent)
					return textBag("Family", family, "MajorVersion", major, "MinorVersion", minor, "Patch", patch)
				})
			case "os":
				name, made = "OperatingSystem", remember(c, "os", agent, func() *value.Bag {
					family, major, minor, patch, patchMinor := c.Agents.System(agent)
					return textBag("Family", family, "MajorVersion", major, "MinorVersion", minor, "Patch", patch, "PatchMinor", patchMinor)
				})
			case "device":
				name, made = "Device", remember(c, "device", agent, func() *value.Bag {
					family, brand, model := c.Agents.Device(agent)
					return textBag("Family", family, "Brand", brand, "Model", model)
				})
			default:
				return nil, misused("parse_user_agent", "it looks for browser, os and device, not for %s", value.FormatDynamic(p))
			}
			bag.Set(name, made)
		}
		out.D[i] = bag
	}
	return out, nil
}

// textBag makes a bag of texts.
func textBag(pairs ...string) *value.Bag {
	b := value.NewBagOf(len(pairs) / 2)
	for i := 0; i+1 < len(pairs); i += 2 {
		b.Set(pairs[i], pairs[i+1])
	}
	return b
}
