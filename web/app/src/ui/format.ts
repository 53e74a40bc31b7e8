// Text forms that pages share.

const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' });

/** Go writes a zero time as year 1; Azure leaves it out. Both are "never". */
export function parseTime(t: string | undefined | null): Date | null {
  if (!t || t.startsWith('0001-')) return null;
  const d = new Date(t);
  return Number.isNaN(d.getTime()) ? null : d;
}

export function localTime(t: string | undefined | null): string {
  const d = parseTime(t);
  return d ? dateTime.format(d) : '';
}

export function localDay(t: string | undefined | null): string {
  const d = parseTime(t);
  return d ? day.format(d) : '';
}

/** "3 min ago", "in 2 h": near times as people say them, far ones as dates. */
export function ago(t: string | undefined | null, now = Date.now()): string {
  const d = parseTime(t);
  if (!d) return '';
  const s = (now - d.getTime()) / 1000;
  const a = Math.abs(s);
  const say = (n: number, unit: string) => (s >= 0 ? `${n} ${unit} ago` : `in ${n} ${unit}`);
  if (a < 5) return 'now';
  if (a < 60) return say(Math.floor(a), 's');
  if (a < 3600) return say(Math.floor(a / 60), 'min');
  if (a < 86400) return say(Math.floor(a / 3600), 'h');
  if (a < 7 * 86400) return say(Math.floor(a / 86400), a < 2 * 86400 ? 'day' : 'days');
  return day.format(d);
}

export function duration(from: string | undefined, to: string | undefined): string {
  const a = parseTime(from);
  const b = parseTime(to);
  if (!a || !b) return '';
  return millis(b.getTime() - a.getTime());
}

export function millis(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
  return `${Math.floor(ms / 3_600_000)} h ${Math.round((ms % 3_600_000) / 60_000)} min`;
}

/** ISO 8601 durations as rules have them: PT15M, P1D. */
export function isoDuration(d: string | undefined): string {
  const m = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$/.exec(d ?? '');
  if (!m) return d ?? '';
  const parts = [
    [m[1], 'day'],
    [m[2], 'hour'],
    [m[3], 'minute'],
    [m[4], 'second'],
  ].flatMap(([n, unit]) => (n ? [`${n} ${unit}${n === '1' ? '' : 's'}`] : []));
  return parts.join(' ') || '0';
}

/** A cell as text: as the service prints it. */
export function cellText(v: unknown): string {
  if (v == null) return '';
  if (typeof v === 'object') return JSON.stringify(v);
  return String(v);
}

export const plural = (n: number, one: string, many = one + 's') => `${n.toLocaleString()} ${n === 1 ? one : many}`;

/** Sizes as storage counts them: 1 kB is 1,000 bytes. */
export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  let i = -1;
  do {
    n /= 1000;
    i++;
  } while (n >= 999.5 && i < 4);
  return `${n < 10 ? n.toFixed(1) : Math.round(n).toLocaleString()} ${['kB', 'MB', 'GB', 'TB', 'PB'][i]}`;
}
