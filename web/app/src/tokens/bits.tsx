import { Badge } from '@fluentui/react-components';
import type { Token } from '../api/tokens';

export function TokenStatus({ of }: { of: Token }) {
  const color = of.status === 'enabled' ? 'success' : of.status === 'expired' ? 'warning' : 'subtle';
  return (
    <Badge appearance="tint" color={color}>
      {of.status === 'enabled' ? 'Enabled' : of.status === 'expired' ? 'Expired' : 'Disabled'}
    </Badge>
  );
}

/** What to say when decoys carry an address that only this machine or network reaches; '' when they don't. */
export function loopbackWarning(tripUrl: string | undefined): string {
  if (!tripUrl) return 'No trip address is set: tokens that trip by a link can’t be made. Start picket with --trip-url, the address at which the world reaches its trip server.';
  let host: string;
  try {
    host = new URL(tripUrl).hostname;
  } catch {
    return `The trip address ${tripUrl} is no URL: mend --trip-url.`;
  }
  if (host === 'localhost' || host.endsWith('.localhost') || /^127\./.test(host) || host === '[::1]')
    return `Decoys carry the address ${tripUrl}, which reaches this machine only: they trip here and nowhere else. Start picket with --trip-url for real use.`;
  if (/^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.)/.test(host)) return `Decoys carry the address ${tripUrl}, which only your own network reaches: opened elsewhere they stay silent.`;
  return '';
}

/** "🇿🇦 Cape Town, South Africa" without the flag where fonts lack it. */
export function placeName(h: { city?: string; country?: string; countryCode?: string }): string {
  return [h.city, h.country || h.countryCode].filter(Boolean).join(', ');
}
