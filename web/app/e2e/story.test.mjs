// The main job, with the real program: a decoy is opened, the incident is found, understood and closed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, openPage, present as browserPresent, signIn } from './browser.mjs';
import { binary, community, present, startPicket } from './picket.mjs';

const must = process.env.PICKET_REQUIRE_E2E === '1';
const skip = must ? false : !browserPresent ? 'there is no Chromium (set CHROMIUM)' : !present ? `there is no ${binary}: build it first` : false;

let picket, browser, page, problems;
before(async () => {
  if (skip) return;
  picket = await startPicket();
  browser = await launch();
  ({ page, problems } = await openPage(browser, picket.url));
});
after(async () => {
  await browser?.close();
  await picket?.stop();
});

test('a decoy is opened, its incident worked and closed', { skip, timeout: 180_000 }, async () => {
  await page.goto('/');
  await signIn(page, picket.user, 'not the password');
  await page.getByRole('alert').filter({ hasText: 'wrong' }).waitFor();
  await signIn(page, picket.user, picket.password);
  await page.getByRole('heading', { name: 'Incidents', level: 1 }).waitFor();

  await picket.run('canary', 'open', picket.document);
  const row = page.getByRole('table', { name: 'Incidents' }).getByRole('link', { name: /canarytoken/i });
  await row.first().waitFor({ timeout: 60_000 });
  await row.first().click();

  // Which host and share, out of the alert's rows.
  const side = page.getByRole('complementary', { name: 'Incident details' });
  await side.getByText('FS01').first().waitFor({ timeout: 20_000 });
  await side.getByText(/T:\\departments\\sales/).first().waitFor();

  await page.getByRole('button', { name: 'Assign to me' }).click();
  await page.getByRole('button', { name: 'Unassign' }).waitFor();

  await page.getByRole('tab', { name: 'Graph' }).click();
  const ip = page.locator('.react-flow__node').filter({ hasText: 'IP address' });
  await ip.first().waitFor();
  const beforeNodes = await page.locator('.react-flow__node').count();
  await ip.first().click();
  await page.getByRole('button', { name: /Related alerts/ }).click();
  await page.getByRole('status').filter({ hasText: /added|Nothing more/ }).waitFor();
  assert.ok((await page.locator('.react-flow__node').count()) > beforeNodes, 'expanding an address adds its trips');

  await page.getByRole('tab', { name: /Comments/ }).click();
  await page.getByLabel('Comment', { exact: true }).fill('Called the owner of FS01: it was the auditor.');
  await page.getByRole('button', { name: 'Add comment' }).click();
  await page.getByRole('article').filter({ hasText: 'it was the auditor' }).waitFor();

  await page.getByRole('button', { name: 'Close incident' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('radio', { name: /Benign positive/ }).check();
  await dialog.getByLabel('Comment').fill('Planned audit');
  await dialog.getByRole('button', { name: 'Close incident' }).click();
  await dialog.waitFor({ state: 'detached' });
  await side.getByText(/BenignPositive/).waitFor();
  await page.getByRole('tab', { name: 'Activity log' }).click();
  await page.getByText(/Closed/).first().waitFor();

  await page.getByRole('link', { name: 'Incidents', exact: true }).first().click();
  await page.getByText(/No open incidents|No incident/).waitFor();
  assert.deepEqual(problems, []);
});

test('the trip shows in the token’s history and in Logs', { skip, timeout: 120_000 }, async () => {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Tokens' }).click();
  await page.getByRole('link', { name: /White Glove/ }).click();
  await page.getByRole('tab', { name: /History/ }).click();
  await page.getByRole('table', { name: 'Trips' }).getByText('127.0.0.1').first().waitFor();
  await page.getByRole('tab', { name: /Messages/ }).click();
  await page.getByRole('table', { name: 'Messages' }).getByText('Succeeded').first().waitFor();

  await page.goto('/logs?' + new URLSearchParams({ q: Buffer.from('CanaryTokens_CL\n| sort by TimeGenerated desc').toString('base64url'), run: '1' }));
  const grid = page.getByRole('grid', { name: 'Query results' });
  await grid.waitFor({ timeout: 30_000 });
  await grid.getByRole('gridcell').nth(1).click();
  const detail = page.getByRole('complementary', { name: 'Row' });
  await detail.getByText('FS01', { exact: false }).first().waitFor();
  // The community's playbook writes addresses of canarytokens.org with the token's secret into the row: no link
  // may leave.
  for (const link of await detail.getByRole('link').all()) assert.match(await link.getAttribute('href'), /^\/tokens\/[0-9a-z]{25}/);
  if (community) assert.ok((await detail.getByRole('link').count()) > 0, 'the row holds links to the token');
  assert.deepEqual(problems, []);
});

test('the playbook that carried it shows every action', { skip, timeout: 60_000 }, async () => {
  await page.goto('/playbooks');
  await page.getByRole('link', { name: /Canary/ }).first().click();
  await page.getByRole('table', { name: 'Runs' }).getByRole('link').first().click();
  await page.getByText('Succeeded').first().waitFor();
  await page.getByRole('button', { name: /Send Data|HTTP CanaryTokenDetails|Parse/i }).first().click();
  await page.getByRole('heading', { name: /Inputs|Outputs/ }).first().waitFor();
  assert.deepEqual(problems, []);
});

test('a token is made by the wizard and downloaded', { skip, timeout: 60_000 }, async () => {
  await page.goto('/tokens/new');
  await page.getByText('Microsoft Word document').click();
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByLabel('File name').fill('Board minutes.docx');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByLabel('Host', { exact: true }).fill('not a host name');
  await page.getByLabel('Share or folder').fill('\\\\FS02\\board');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('button', { name: 'Create token' }).click();
  // The server refused the host: the wizard is back at its field, with the reason.
  await page.getByText(/no host name/).first().waitFor();
  await page.getByLabel('Host', { exact: true }).fill('FS02');
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('checkbox', { name: /Canary/ }).check();
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByRole('button', { name: 'Create token' }).click();
  await page.getByRole('heading', { name: 'The token is armed' }).waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: /Download/ }).click()]);
  assert.equal(download.suggestedFilename(), 'Board minutes.docx');
  assert.deepEqual(problems, []);
});

test('signing out ends the session', { skip, timeout: 30_000 }, async () => {
  await page.goto('/incidents');
  await page.getByRole('button', { name: /^Account/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await page.goto('/tokens');
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
});
