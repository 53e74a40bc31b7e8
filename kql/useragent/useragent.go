// Package useragent knows the texts by which programs name themselves in HTTP requests, by the patterns that the uap
// project keeps, for KQL's parse_user_agent(). The patterns are those of the library's release: an agent that is newer
// may be told as its family without its version, or as Other.
//
//	opt.Context = func(c *eval.Ctx) { c.Agents = agents }
package useragent

import (
	"sync"

	"github.com/ua-parser/uap-go/uaparser"
)

// Agents is an eval.UserAgents; the zero value is ready. Its patterns are compiled when they are first needed.
type Agents struct {
	once sync.Once
	mu   sync.Mutex // the library's own caches are not documented to be safe
	p    *uaparser.Parser
}

func (a *Agents) locked(f func(p *uaparser.Parser)) {
	a.once.Do(func() { a.p = uaparser.NewFromSaved() })
	a.mu.Lock()
	defer a.mu.Unlock()
	f(a.p)
}

// Browser names the program and its version.
func (a *Agents) Browser(agent string) (family, major, minor, patch string) {
	a.locked(func(p *uaparser.Parser) {
		u := p.ParseUserAgent(agent)
		family, major, minor, patch = u.Family, u.Major, u.Minor, u.Patch
	})
	return family, major, minor, patch
}

// System names the operating system and its version.
func (a *Agents) System(agent string) (family, major, minor, patch, patchMinor string) {
	a.locked(func(p *uaparser.Parser) {
		o := p.ParseOs(agent)
		family, major, minor, patch, patchMinor = o.Family, o.Major, o.Minor, o.Patch, o.PatchMinor
	})
	return family, major, minor, patch, patchMinor
}

// Device names the device, its maker and its model.
func (a *Agents) Device(agent string) (family, brand, model string) {
	a.locked(func(p *uaparser.Parser) {
		d := p.ParseDevice(agent)
		family, brand, model = d.Family, d.Brand, d.Model
	})
	return family, brand, model
}
