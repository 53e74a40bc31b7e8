// Links drawn from rows. A row's URL may carry a token's secret (manage_url and the history links that the
// CanaryTokens playbook writes do), and names a host that is not ours: following it would give the secret
// away. The engine maps such hosts to this picket; so does the page.

const tokenHosts = new Set(['canarytokens.org', 'www.canarytokens.org']);

export interface RowLink {
  href: string;
  /** Within picket: no new window, nothing leaves. */
  internal: boolean;
}

/** The link for a URL in a row, or null when it must stay text. */
export function rowLink(text: string, hostMap: Record<string, string> = {}): RowLink | null {
  const t = text.trim();
  if (!/^https?:\/\//i.test(t) || /\s/.test(t)) return null;
  let u: URL;
  try {
    u = new URL(t);
  } catch {
    return null;
  }
  const host = u.hostname.toLowerCase();
  const mapped = Object.keys(hostMap).some((h) => h.toLowerCase() === host || h.toLowerCase() === u.host.toLowerCase());
  if (mapped || tokenHosts.has(host) || secretOf(u)) {
    const token = u.searchParams.get('token');
    if (!token || !/^[0-9a-z]{1,64}$/i.test(token)) return null;
    const history = /history|download/i.test(u.pathname);
    return { href: `/tokens/${token.toLowerCase()}${history ? '/history' : ''}`, internal: true };
  }
  return { href: u.href, internal: false };
}

/** A URL with both a token and its auth is a token's management address, whatever its host. */
function secretOf(u: URL): boolean {
  return u.searchParams.has('token') && u.searchParams.has('auth');
}
