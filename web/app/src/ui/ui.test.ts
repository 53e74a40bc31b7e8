import { expect, test } from 'vitest';
import { fileNameProblem } from '../api/tokens';
import { ago, duration, isoDuration, parseTime } from './format';
import { rowLink } from './links';

const map = { 'canarytokens.org': '127.0.0.1:8443', 'ip-api.com': 'x' };
const secret = 'token=k3x9mz8aa1b2c3d4e5f6g7h8i&auth=0123456789abcdef';

test('no click carries a token’s secret away', () => {
  expect(rowLink(` https://canarytokens.org/manage?${secret}`, map)).toEqual({ href: '/tokens/k3x9mz8aa1b2c3d4e5f6g7h8i', internal: true });
  expect(rowLink(`https://canarytokens.org/download?fmt=incidentlist_csv&${secret}`, map)).toEqual({ href: '/tokens/k3x9mz8aa1b2c3d4e5f6g7h8i/history', internal: true });
  expect(rowLink(`https://CANARYTOKENS.ORG/history?${secret}`)).toMatchObject({ internal: true }); // without a map too
  expect(rowLink(`https://other.example/manage?${secret}`)).toMatchObject({ internal: true });
  expect(rowLink('https://canarytokens.org/nest', map)).toBe(null); // nothing of ours: text
  expect(rowLink('https://ip-api.com/json/1.2.3.4', map)).toBe(null);
});

test('other links stay links, other text stays text', () => {
  expect(rowLink('https://example.org/a?b=c')).toEqual({ href: 'https://example.org/a?b=c', internal: false });
  for (const t of ['javascript:alert(1)', 'data:text/html,x', 'see https://example.org', 'https://', '']) expect(rowLink(t)).toBe(null);
});

test('times', () => {
  const now = Date.parse('2026-01-01T12:00:00Z');
  expect(ago('2026-01-01T11:57:00Z', now)).toBe('3 min ago');
  expect(ago('2026-01-01T14:00:00Z', now)).toBe('in 2 h');
  expect(parseTime('0001-01-01T00:00:00Z')).toBe(null);
  expect(duration('2026-01-01T12:00:00Z', '2026-01-01T12:01:05Z')).toBe('1 min 5 s');
  expect([isoDuration('PT15M'), isoDuration('P1D'), isoDuration('PT1H30M'), isoDuration('odd')]).toEqual(['15 minutes', '1 day', '1 hour 30 minutes', 'odd']);
});

test('file names', () => {
  expect(fileNameProblem('a.docx', '.docx')).toBe('');
  expect(fileNameProblem('a.doc', '.docx')).toContain('.docx');
  expect(fileNameProblem('a/b.docx', '.docx')).not.toBe('');
});
