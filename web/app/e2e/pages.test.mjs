// The app by itself, over the stand-in server: the editor, the grid, charts, links, keyboard, accessibility.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, openPage, present, signIn } from './browser.mjs';
import { startMock } from './mock/server.mjs';

const built = existsSync(join(import.meta.dirname, '../../dist/index.html.gz'));
const must = process.env.PICKET_REQUIRE_E2E === '1';
const skip = must ? false : !present ? 'there is no Chromium (set CHROMIUM)' : !built ? 'the app is not built: npm run build' : false;

let mock, browser, page, problems;
before(async () => {
  if (skip) return;
  mock = await startMock();
  browser = await launch();
  ({ page, problems } = await openPage(browser, mock.url));
  await signIn(page, 'admin', 'open sesame now');
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
});
after(async () => {
  await browser?.close();
  mock?.close();
});

const logs = (query, run = true) => '/logs?' + new URLSearchParams({ q: Buffer.from(query).toString('base64url'), range: '24h', ...(run ? { run: '1' } : {}) });
const clean = () => assert.deepEqual(problems.splice(0), []);

test('completion offers operators of the language and columns of the schema, and nothing that is not run', { skip, timeout: 90_000 }, async () => {
  await page.goto(logs('SecurityEvent | su', false));
  const editor = page.locator('.monaco-editor').first();
  await editor.waitFor({ timeout: 30_000 });
  await page.waitForTimeout(3000); // the language service starts
  const offered = async (text) => {
    await editor.click();
    await page.keyboard.press('ControlOrMeta+A');
    await page.keyboard.type(text);
    for (let i = 0; i < 40; i++) {
      await page.waitForTimeout(250);
      const items = await page.locator('.suggest-widget.visible .monaco-list-row').allInnerTexts();
      if (items.length && !items.some((t) => /Loading/.test(t))) return items.map((t) => t.split('\n')[0].trim());
      if (i % 8 === 7) await page.keyboard.press('ControlOrMeta+Space');
    }
    return [];
  };
  assert.ok((await offered('SecurityEvent | su')).some((t) => t.startsWith('summarize')), 'summarize after su');
  assert.ok((await offered('SecurityEvent | where Acc')).some((t) => t.startsWith('Account')), 'the column Account');
  const sums = await offered('SecurityEvent | summarize sum');
  assert.ok(sums.some((t) => /^sum\b/.test(t)), 'sum is offered: ' + sums);
  assert.ok(!sums.some((t) => /^sumif\b/.test(t)), 'sumif, which the catalogue lacks, is not: ' + sums);
  clean();
});

test('an unknown column is underlined by the editor, and by the server’s answer with line and column', { skip, timeout: 60_000 }, async () => {
  await page.goto(logs('SecurityEvent\n| where NoSuch == 1'));
  await page.getByRole('alert').filter({ hasText: 'Line 2, column 9' }).waitFor();
  await page.locator('.squiggly-error').first().waitFor({ timeout: 20_000 });
  clean();
});

test('30,000 rows are browsed by keyboard, sorted, exported without formulas', { skip, timeout: 60_000 }, async () => {
  await page.goto(logs('SecurityEvent\n| take 30000'));
  const grid = page.getByRole('grid', { name: 'Query results' });
  await grid.waitFor();
  assert.equal(await grid.getAttribute('aria-rowcount'), '30001');
  assert.ok((await grid.getByRole('row').count()) < 80, 'only the rows in view are drawn');
  await grid.focus();
  await page.keyboard.press('ControlOrMeta+End');
  await page.waitForTimeout(300);
  const id = await grid.getAttribute('aria-activedescendant');
  await page.locator(`[id="${id}"]`).waitFor();
  assert.match(id, /-29999-5$/);
  await page.keyboard.press('Enter');
  await page.getByRole('complementary', { name: 'Row' }).getByText('note 29999').waitFor();
  await grid.getByRole('columnheader', { name: 'EventID' }).click();
  assert.equal(await grid.getByRole('columnheader', { name: 'EventID' }).getAttribute('aria-sort'), 'ascending');

  await page.getByRole('button', { name: 'Export' }).click();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name: 'CSV' }).click()]);
  const text = readFileSync(await file.path(), 'utf8');
  assert.equal(text.split('\r\n').length, 30002);
  assert.ok(text.includes("'=cmd|calc"));
  clean();
});

test('a link in a row never carries a token’s secret away', { skip, timeout: 30_000 }, async () => {
  await page.goto(logs('SecurityEvent\n| take 5'));
  const grid = page.getByRole('grid', { name: 'Query results' });
  await grid.getByRole('gridcell').nth(5).click();
  const link = page.getByRole('complementary', { name: 'Row' }).getByRole('link');
  assert.equal(await link.getAttribute('href'), '/tokens/k3x9mz8aa1b2c3d4e5f6g7h8i');
  await link.click();
  await page.getByRole('heading', { name: /White Glove/ }).waitFor();
  clean();
});

test('a drawn run is walked by keyboard, its failed repetition found', { skip, timeout: 60_000 }, async () => {
  await page.goto('/playbooks/Ingest-CanaryTokens/runs/x');
  const card = (name) => page.getByRole('button', { name });
  await card(/^manual, Trigger/).focus();
  await page.keyboard.press('ArrowDown');
  assert.ok(await card(/^Parse JSON, Parse JSON, Succeeded, 12 ms/).evaluate((e) => e === document.activeElement));
  await card(/^Post message, Microsoft Teams, Succeeded.* runs after For each failed or timed out/).waitFor();
  await page.getByText('Failed, Timed out').waitFor();
  await card(/^Send Data, Data Collector, Succeeded/).focus();
  await page.keyboard.press('Enter');
  const side = page.getByRole('complementary', { name: 'Step' });
  await side.getByText('000000').waitFor();
  await side.getByRole('button', { name: 'Next failed repetition' }).click();
  await card(/^Send Data, Data Collector, Failed/).waitFor();
  await side.getByText(/answered 403/).waitFor();
  assert.equal(await page.getByRole('group', { name: 'Repetition of For each' }).getByRole('textbox').inputValue(), '5');
  await card('Close For each').click();
  await card(/^Send Data/).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Open all' }).click();
  await card(/^Send Data/).waitFor();
  clean();
});

test('render draws', { skip, timeout: 30_000 }, async () => {
  for (const kind of ['timechart', 'columnchart', 'piechart', 'barchart', 'areachart']) {
    await page.goto(logs(`SecurityEvent | summarize count() by bin(TimeGenerated, 1h), Computer | render ${kind}`));
    await page.getByRole('img', { name: new RegExp(kind) }).locator('canvas').waitFor();
  }
  clean();
});

test('what another person changed meanwhile is not overwritten', { skip, timeout: 30_000 }, async () => {
  const { page: other } = await openPage(browser, mock.url);
  await signIn(other, 'admin', 'open sesame now');
  const path = '/incidents/00000000-0000-4000-8000-000000000002';
  await page.goto(path);
  await other.goto(path);
  for (const p of [page, other]) await p.getByRole('button', { name: 'Assign to me' }).waitFor();
  await page.route('**/incidents/00000000-0000-4000-8000-000000000002?*', (r) => (r.request().method() === 'GET' ? r.abort() : r.continue()));
  await other.getByRole('button', { name: 'Assign to me' }).click();
  await other.getByRole('button', { name: 'Unassign' }).waitFor();
  await page.getByRole('button', { name: 'Assign to me' }).click();
  await page.getByRole('alert').filter({ hasText: 'changed by somebody else' }).waitFor();
  await page.unroute('**/incidents/00000000-0000-4000-8000-000000000002?*');
  await other.context().close();
  problems.length = 0;
});

test('empty pages say what to do next', { skip, timeout: 60_000 }, async () => {
  const bare = await startMock(0, { empty: true });
  const { page: p, problems: bad } = await openPage(browser, bare.url);
  await signIn(p, 'admin', 'open sesame now');
  for (const [path, text] of [
    ['/incidents', 'Place a decoy'],
    ['/tokens', 'Create the first token'],
    ['/playbooks', 'Deploy a template'],
    ['/rules', 'Import YAML'],
    ['/workspace/places', 'picket geo import'],
    ['/tables', 'Send the first rows'],
    ['/sources', 'Point a shipper here'],
    ['/automation', 'Create a rule'],
    ['/watchlists', '_GetWatchlist'],
  ]) {
    await p.goto(path);
    await p.getByText(text).first().waitFor();
  }
  await p.goto('/nowhere');
  await p.getByText('There is no such page').waitFor();
  await p.goto('/tokens/0000000000000000000000000');
  await p.getByText('There is no such token').waitFor();
  assert.deepEqual(bad, []);
  bare.close();
});

test('a table is found, its newest rows read, its retention changed', { skip, timeout: 60_000 }, async () => {
  await page.goto('/tables');
  const list = page.getByRole('table', { name: 'Tables' });
  await list.getByText('1,234 (up to 2 h 2 min)').waitFor();
  await list.getByRole('button', { name: 'Rows' }).click();
  assert.equal(await list.getByRole('columnheader', { name: 'Rows' }).getAttribute('aria-sort'), 'descending');
  assert.match(await list.getByRole('row').nth(1).innerText(), /^SecurityEvent/);
  await page.getByLabel('Find a table').fill('sysl');
  assert.equal(await list.getByRole('row').count(), 2);
  await page.getByLabel('Find a table').fill('');
  await list.getByRole('link', { name: 'SecurityEvent' }).click();
  await page.getByRole('img', { name: /Rows taken in by hour/ }).locator('canvas').waitFor();
  await page.getByText('30 days, 365').waitFor({ state: 'detached' });
  await page.getByRole('tab', { name: 'Newest rows' }).click();
  await page.getByRole('grid', { name: 'Newest rows' }).getByRole('gridcell').first().waitFor();
  await page.getByRole('button', { name: 'Retention' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('combobox', { name: 'Rows are kept in all' }).click();
  await page.getByRole('option', { name: '90 days', exact: true }).click();
  await dialog.getByRole('note').getByText(/older than 90 days are deleted/).waitFor();
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.waitFor({ state: 'detached' });
  await page.getByRole('tab', { name: 'Overview' }).click();
  await page.getByRole('region', { name: 'Rows', exact: true }).getByText('90 days', { exact: true }).waitFor();
  clean();
});

test('data sources say who is silent or refused, and set shippers up with this workspace’s addresses', { skip, timeout: 60_000 }, async () => {
  await page.goto('/sources');
  const list = page.getByRole('table', { name: 'Senders' });
  await list.getByText('Sending').waitFor();
  await list.getByText(/^Refused since/).waitFor();
  await list.getByText(/^Silent since/).waitFor();
  await page.getByRole('tab', { name: 'Set up a sender' }).click();
  await page.getByRole('region', { name: 'curl' }).getByText(/SHARED_KEY='SHARED-KEY'/).waitFor();
  await page.getByRole('button', { name: 'Put the shared key in' }).click();
  await page.getByRole('region', { name: 'curl' }).getByText(/SHARED_KEY='c2hhcmVka2V5'/).waitFor();
  await page.getByRole('tab', { name: 'Logs Ingestion API' }).click();
  await page.getByRole('button', { name: 'Copy: Python' }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /rule_id='dcr-0123456789abcdef0123456789abcdef', stream_name='Custom-Demo_CL'/);
  clean();
});

test('a personal token is shown once and revoked; a program is given and refused access', { skip, timeout: 60_000 }, async () => {
  await page.goto('/access/tokens');
  await page.getByRole('button', { name: 'New token' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(/^Name/).fill('script');
  await dialog.getByRole('button', { name: 'Make it' }).click();
  await page.getByText(/^pat_/).waitFor();
  await page.getByRole('button', { name: 'Hide' }).click();
  await page.getByText(/^pat_/).waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Revoke script' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('button', { name: 'Revoke script' }).waitFor({ state: 'detached' });
  await page.getByRole('tab', { name: 'Programs' }).click();
  await page.getByRole('button', { name: 'Give access' }).click();
  await page.getByRole('dialog').getByLabel(/^Name/).fill('fluent-bit');
  await page.getByRole('dialog').getByRole('button', { name: 'Give access' }).click();
  await page.getByText('secret-once').waitFor();
  await page.getByRole('switch', { name: 'fluent-bit enabled' }).click();
  await page.getByRole('switch', { name: 'fluent-bit enabled', checked: false }).waitFor();
  clean();
});

test('automation rules are made, ordered and turned off; kinds that the form lacks stay as they came', { skip, timeout: 90_000 }, async () => {
  await page.goto('/automation/new');
  await page.getByLabel(/^Name/).fill('Escalate decoys');
  await page.getByRole('button', { name: 'Add a condition' }).click();
  await page.getByLabel('Values').fill('Canarytoken');
  await page.getByRole('combobox', { name: 'Severity' }).click();
  await page.getByRole('option', { name: 'High' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  const list = page.getByRole('table', { name: 'Automation rules' });
  await list.getByText('Title contains Canarytoken').waitFor();
  await list.getByText(/set the severity to High/).waitFor();
  await page.getByRole('button', { name: 'Run Escalate decoys later' }).click();
  await page.waitForFunction(() => document.querySelectorAll('table tbody tr')[2]?.innerText.includes('Escalate decoys'));
  await page.getByRole('switch', { name: 'Escalate decoys on' }).click();
  await page.waitForFunction(() => !document.querySelector('[aria-label="Escalate decoys on"]').checked);
  await list.getByRole('link', { name: 'Close the auditor’s trips' }).click();
  await page.getByText(/^PropertyArray:/).waitFor();
  clean();
});

test('a watchlist is made from CSV, searched and changed', { skip, timeout: 60_000 }, async () => {
  await page.goto('/watchlists');
  await page.getByRole('button', { name: 'New watchlist' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(/^Name/).fill('People who left');
  await dialog.getByLabel('CSV file').setInputFiles({ name: 'left.csv', mimeType: 'text/csv', buffer: Buffer.from('"User, name",When\nada,2026-01-01\n') });
  await dialog.getByRole('combobox', { name: /^Search key/ }).getByText('User, name').waitFor();
  assert.equal(await dialog.getByLabel(/^Alias/).inputValue(), 'People-who-left');
  await dialog.getByRole('button', { name: 'Create' }).click();
  await page.getByRole('heading', { name: 'People who left', level: 1 }).waitFor();
  await page.getByText('40 items').waitFor(); // page after page
  await page.getByLabel('Find an item').fill('oldest');
  await page.getByRole('grid', { name: 'Items' }).getByText('FS00').click();
  await page.getByRole('dialog').getByLabel('Notes').fill('retired');
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await page.getByLabel('Find an item').fill('retired');
  await page.getByRole('grid', { name: 'Items' }).getByText('FS00').waitFor();
  clean();
});

test('tasks of an incident are added and ticked off', { skip, timeout: 60_000 }, async () => {
  await page.goto('/incidents/00000000-0000-4000-8000-000000000003/tasks');
  await page.getByLabel('New task').fill('Take an image of the disk');
  await page.getByLabel('New task').press('Enter');
  const box = page.getByRole('checkbox', { name: 'Take an image of the disk' });
  await box.click();
  await page.getByRole('tab', { name: 'Tasks (1/2)' }).waitFor();
  await page.getByRole('button', { name: 'Remove Take an image of the disk' }).click();
  await box.waitFor({ state: 'detached' });
  clean();
});

test('a playbook is tested: what would be sent is shown', { skip, timeout: 60_000 }, async () => {
  await page.goto('/playbooks/Ingest-CanaryTokens');
  await page.getByRole('button', { name: 'Test', exact: true }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel(/Body that the trigger/).fill('{nonsense');
  await dialog.getByRole('button', { name: 'Test', exact: true }).click();
  await dialog.getByText(/This is not JSON/).waitFor();
  await dialog.getByLabel(/Body that the trigger/).fill('{}');
  await dialog.getByRole('button', { name: 'Test', exact: true }).click();
  await dialog.getByRole('button', { name: /Send Data: azureloganalyticsdatacollector POST/ }).waitFor();
  clean();
});

test('every page passes axe, light and dark', { skip, timeout: 900_000 }, async () => {
  const axe = readFileSync(join(import.meta.dirname, '../node_modules/axe-core/axe.min.js'), 'utf8');
  const inc = '/incidents/00000000-0000-4000-8000-000000000003';
  const paths = ['/incidents', inc, inc + '/alerts', inc + '/graph', inc + '/comments', logs('SecurityEvent\n| take 50'), '/tokens', '/tokens/new', '/tokens/k3x9mz8aa1b2c3d4e5f6g7h8i', '/tokens/k3x9mz8aa1b2c3d4e5f6g7h8i/settings', '/playbooks', '/playbooks/Ingest-CanaryTokens', '/playbooks/Ingest-CanaryTokens/workflow', '/playbooks/Ingest-CanaryTokens/runs/x', '/playbooks/Ingest-CanaryTokens/runs/x/steps', '/playbooks/deploy', '/rules', '/rules/2f14ba0e-9b0a-4f4c-8f3e-1c1f2a3b4c5d', '/workspace', '/workspace/account', '/access', '/access/programs', '/access/tokens', '/tables', '/tables/SecurityEvent', '/tables/SecurityEvent/schema', '/tables/SecurityEvent/sample', '/sources', '/sources/setup', '/sources/setup/ingestion', '/automation', '/automation/a1', '/automation/new', '/watchlists', '/watchlists/HighValueAssets', '/workspace/places', '/tokens/k3x9mz8aa1b2c3d4e5f6g7h8i/messages', inc + '/activity', inc + '/entities', inc + '/tasks', '/rules/new'];
  const found = [];
  for (const colorScheme of ['light', 'dark']) {
    const { page: p, context } = await openPage(browser, mock.url, { colorScheme, bypassCSP: true });
    await p.goto('/');
    await p.getByLabel('Name').waitFor();
    const check = async (where) => {
      await p.evaluate(axe);
      const r = await p.evaluate(() =>
        window.axe.run(
          // Fluent's focus dummies are a known false alarm; the editor and React Flow's mark are others' parts.
          { exclude: [['[data-tabster-dummy]'], ['.monaco-editor'], ['.react-flow__attribution']] },
          { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa'] },
        ),
      );
      for (const v of r.violations) found.push(`${colorScheme} ${where}: ${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).slice(0, 3).join(' | ')}`);
    };
    await check('sign-in');
    await signIn(p, 'admin', 'open sesame now');
    await p.getByRole('navigation', { name: 'Pages' }).waitFor();
    for (const path of paths) {
      await p.goto(path);
      await p.getByRole('heading', { level: 1 }).waitFor();
      await p.waitForTimeout(900);
      await check(path);
    }
    await context.close();
  }
  assert.deepEqual(found, []);
});

test('the page works by keyboard alone', { skip, timeout: 60_000 }, async () => {
  await page.goto('/incidents');
  await page.getByRole('link', { name: /Canarytoken/ }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent.trim()), 'Skip to the page');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  const link = page.getByRole('link', { name: /Canarytoken/ });
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press('Tab');
    if (await link.evaluate((e) => e === document.activeElement)) break;
  }
  await page.keyboard.press('Enter');
  await page.getByRole('tab', { name: 'Overview' }).waitFor();
  await page.getByRole('tab', { name: 'Overview' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  const node = page.locator('.react-flow__node').filter({ hasText: '41.13.200.5' });
  await node.waitFor();
  await node.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('complementary', { name: 'Node' }).getByRole('button', { name: /Related/ }).waitFor();
  clean();
});
