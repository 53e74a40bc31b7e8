// Pictures of every page, light and dark, for people to look at: node e2e/shots.mjs OUT [--empty]
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch, openPage, signIn } from './browser.mjs';
import { startMock } from './mock/server.mjs';

const out = process.argv[2] ?? '.shots';
const only = process.argv[3] && !process.argv[3].startsWith('--') ? new RegExp(process.argv[3]) : /./;
const empty = process.argv.includes('--empty');
mkdirSync(out, { recursive: true });
const mock = await startMock(0, { empty });
const browser = await launch();
const inc = '/incidents/00000000-0000-4000-8000-000000000003';
const tok = '/tokens/k3x9mz8aa1b2c3d4e5f6g7h8i';
const pages = [
  ['incidents', '/incidents'],
  ['incident', inc],
  ['incident-alerts', inc + '/alerts'],
  ['incident-graph', inc + '/graph', async (p) => { await p.getByText('41.13.200.5').last().click(); await p.getByRole('button', { name: /Related/ }).click(); await p.waitForTimeout(600); }],
  ['incident-comments', inc + '/comments'],
  ['incident-activity', inc + '/activity'],
  ['logs', '/logs?q=U2VjdXJpdHlFdmVudAp8IHRha2UgMzAwMDA&run=1', async (p) => { await p.getByRole('grid').waitFor(); await p.locator('.monaco-editor').waitFor(); await p.waitForTimeout(1500); await p.getByRole('gridcell').nth(1).click(); await p.waitForTimeout(300); }],
  ['logs-chart', '/logs?q=U2VjdXJpdHlFdmVudCB8IHN1bW1hcml6ZSBjb3VudCgpIGJ5IGJpbihUaW1lR2VuZXJhdGVkLDFoKSwgQ29tcHV0ZXIgfCByZW5kZXIgdGltZWNoYXJ0&run=1', async (p) => { await p.waitForTimeout(2500); }],
  ['logs-error', '/logs?q=U2VjdXJpdHlFdmVudAp8IHdoZXJlIE5vU3VjaCA9PSAx&run=1', async (p) => { await p.waitForTimeout(2500); }],
  ['tokens', '/tokens'],
  ['token', tok],
  ['token-history', tok + '/history'],
  ['token-messages', tok + '/messages'],
  ['token-settings', tok + '/settings'],
  ['token-new', '/tokens/new'],
  ['token-bait', '/tokens/new', async (p) => { await p.getByText('Microsoft Word document').click(); await p.getByRole('button', { name: 'Next' }).click(); await p.waitForTimeout(300); }],
  ['playbooks', '/playbooks'],
  ['playbook', '/playbooks/Ingest-CanaryTokens'],
  ['playbook-needs', '/playbooks/Block-AADUser/overview'],
  ['playbook-workflow', '/playbooks/Ingest-CanaryTokens/workflow', async (p) => { await p.getByRole('button', { name: /^Condition/ }).click(); }],
  ['playbook-test', '/playbooks/Ingest-CanaryTokens', async (p) => { await p.getByRole('button', { name: 'Test', exact: true }).click(); await p.getByRole('dialog').getByRole('button', { name: 'Test', exact: true }).click(); await p.getByText('1 call would be made').waitFor(); }],
  ['run', '/playbooks/Ingest-CanaryTokens/runs/x'],
  ['run-picked', '/playbooks/Ingest-CanaryTokens/runs/x', async (p) => { await p.getByRole('button', { name: /^Send Data/ }).click(); await p.getByRole('button', { name: 'Next failed repetition' }).click(); await p.getByText('403').first().waitFor(); }],
  ['run-steps', '/playbooks/Ingest-CanaryTokens/runs/x/steps'],
  ['deploy', '/playbooks/deploy', async (p) => { await p.getByLabel('or its text').fill('{}'); await p.getByRole('button', { name: 'Deploy' }).waitFor(); }],
  ['rules', '/rules'],
  ['rule', '/rules/2f14ba0e-9b0a-4f4c-8f3e-1c1f2a3b4c5d', async (p) => { await p.waitForTimeout(2000); }],
  ['rule-runs', '/rules/2f14ba0e-9b0a-4f4c-8f3e-1c1f2a3b4c5d/runs'],
  ['settings', '/workspace'],
  ['settings-account', '/workspace/account'],
  ['tables', '/tables'],
  ['table', '/tables/SecurityEvent'],
  ['table-schema', '/tables/SecurityEvent/schema'],
  ['table-sample', '/tables/SecurityEvent/sample'],
  ['table-retention', '/tables/SecurityEvent', async (p) => { await p.getByRole('button', { name: 'Retention' }).click(); }],
  ['sources', '/sources'],
  ['sources-setup', '/sources/setup'],
  ['sources-ingestion', '/sources/setup/ingestion'],
  ['access', '/access'],
  ['access-programs', '/access/programs', async (p) => { await p.getByRole('button', { name: 'New secret for shipper' }).click(); await p.getByRole('button', { name: 'Make it' }).click(); }],
  ['access-tokens', '/access/tokens'],
  ['access-token', '/access/tokens', async (p) => { await p.getByRole('button', { name: 'New token' }).click(); }],
  ['automation', '/automation'],
  ['automation-rule', '/automation/a1'],
  ['automation-rule2', '/automation/a2'],
  ['watchlists', '/watchlists'],
  ['watchlist', '/watchlists/HighValueAssets'],
  ['watchlist-new', '/watchlists', async (p) => { await p.getByRole('button', { name: 'New watchlist' }).click(); await p.getByLabel('or its text').fill('Host,Owner\nFS01,ada'); }],
  ['settings-places', '/workspace/places'],
];
for (const look of ['light', 'dark', 'narrow']) {
  const { page, problems } = await openPage(browser, mock.url, look === 'narrow' ? { viewport: { width: 420, height: 900 } } : { colorScheme: look });
  await page.goto('/');
  await page.getByLabel('Name').waitFor();
  if (only.test('signin')) await page.screenshot({ path: join(out, `signin-${look}.png`) });
  await signIn(page, 'admin', 'open sesame now');
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  for (const [name, path, act] of pages) {
    if (!only.test(name)) continue;
    await page.goto(path);
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.waitForLoadState('networkidle');
    try {
      await act?.(page);
    } catch (e) {
      console.error(name, look, e.message.split('\n')[0]);
    }
    await page.waitForTimeout(300);
    await page.screenshot({ path: join(out, `${name}-${look}.png`) });
  }
  if (problems.length) console.error(look, [...new Set(problems)]);
}
await browser.close();
mock.close();
