// The main job, with the real program: a decoy is opened, the incident is found, understood and closed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { request } from 'playwright-core';
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

const rule = `id: 7f0b2f0e-55ab-4a6f-9bde-6c1f8f0c0a07
name: Decoys touched from this machine
description: |
  'Trips whose source is this machine.'
severity: low
queryFrequency: 1h
queryPeriod: 1d
triggerOperator: gt
triggerThreshold: 0
tactics:
  - Discovery
relevantTechniques:
query: |
  CanaryTrips
  | where SrcIp == "127.0.0.1"
  | extend IPCustomEntity = SrcIp
`;

test('a rule is imported, mended where its query is wrong, and run', { skip, timeout: 90_000 }, async () => {
  await page.goto('/rules');
  await page.locator('input[type=file]').setInputFiles([
    { name: 'decoys.yaml', mimeType: 'application/yaml', buffer: Buffer.from(rule) },
    { name: 'broken.yaml', mimeType: 'application/yaml', buffer: Buffer.from('name: [') },
  ]);
  await page.getByText('Imported: Decoys touched from this machine.').waitFor();
  await page.getByText('broken.yaml').waitFor();
  await page.getByRole('link', { name: 'Decoys touched from this machine' }).click();
  const editor = page.locator('.monaco-editor').first();
  await editor.waitFor({ timeout: 30_000 });
  await editor.click();
  await page.keyboard.press('ControlOrMeta+End');
  await page.keyboard.type('| where NoSuchColumn == 1');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('alert').filter({ hasText: 'NoSuchColumn' }).waitFor();
  for (let i = 0; i < '| where NoSuchColumn == 1'.length; i++) await page.keyboard.press('Escape');
  await editor.click();
  await page.keyboard.press('ControlOrMeta+End');
  await page.keyboard.press('Shift+Home');
  await page.keyboard.press('Delete');
  await page.getByRole('checkbox', { name: /as soon as rows arrive/ }).check();
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Run now' }).and(page.locator(':enabled')).click();
  await page.getByText(/Found [1-9]\d* rows?, made or changed 1 alert/).waitFor({ timeout: 30_000 });
  await page.getByRole('tab', { name: 'Runs' }).click();
  await page.getByRole('table', { name: 'Runs' }).getByText('by hand').waitFor();
  await page.getByRole('switch', { name: 'On' }).click();
  const saved = page.waitForResponse((r) => r.request().method() === 'PUT' && /alertrules/i.test(r.url())); // leaving at once would break it off
  await page.getByRole('button', { name: 'Save' }).click();
  assert.equal((await saved).status(), 200);
  await page.goto('/rules');
  await page.getByRole('switch', { name: 'Decoys touched from this machine on' }).and(page.locator(':not(:checked)')).waitFor();
  await page.goto('/incidents');
  await page.getByRole('link', { name: 'Decoys touched from this machine' }).waitFor();
  assert.deepEqual(problems, []);
});

const template = {
  $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#',
  contentVersion: '1.0.0.0',
  parameters: { PlaybookName: { type: 'string', defaultValue: 'Echo' }, Greeting: { type: 'string', metadata: { description: 'What it says.' } } },
  resources: [
    {
      type: 'Microsoft.Logic/workflows',
      apiVersion: '2017-07-01',
      name: "[parameters('PlaybookName')]",
      location: 'local',
      properties: {
        state: 'Enabled',
        parameters: { Greeting: { value: "[parameters('Greeting')]" } },
        definition: {
          $schema: 'https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#',
          contentVersion: '1.0.0.0',
          parameters: { Greeting: { type: 'String' } },
          triggers: { manual: { type: 'Request', kind: 'Http', inputs: {} } },
          actions: { Say: { type: 'Compose', inputs: "@{parameters('Greeting')} @{triggerBody()?['name']}", runAfter: {} } },
        },
      },
    },
  ],
};

test('a playbook is deployed with its parameters asked, run by hand, resubmitted and turned off', { skip, timeout: 90_000 }, async () => {
  await page.goto('/playbooks/deploy');
  await page.getByLabel('Template file').setInputFiles({ name: 'azuredeploy.json', mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(template)) });
  await page.getByText('picket serves everything that this template uses').waitFor();
  await page.getByRole('button', { name: 'Deploy', exact: true }).click();
  await page.getByText('The template needs a value here.').waitFor();
  await page.getByLabel(/^Greeting/).fill('Hello');
  await page.getByRole('button', { name: 'Deploy', exact: true }).click();
  await page.getByRole('heading', { name: 'Echo', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Callback URL' }).click();
  await page.getByText(/paths\/invoke\?api-version/).waitFor();
  await page.getByRole('button', { name: 'Run now' }).click();
  await page.getByLabel(/Body that the trigger/).fill('{"name": "Ada"}');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const heading = page.getByRole('heading', { name: /^Run 0/, level: 1 });
  await heading.waitFor();
  const first = await heading.innerText();
  await page.getByRole('button', { name: /^Say, Compose, Succeeded/ }).click();
  await page.getByRole('complementary', { name: 'Step' }).getByText('Hello Ada').first().waitFor();
  await page.getByRole('button', { name: 'Resubmit' }).click();
  await page.waitForFunction((t) => document.querySelector('h1').innerText !== t, first);
  await page.getByRole('button', { name: /^Say, Compose, Succeeded/ }).waitFor();
  await page.goto('/playbooks/Echo');
  await page.getByRole('switch', { name: 'On' }).click();
  await page.getByRole('switch', { name: 'Off' }).waitFor();
  assert.deepEqual(problems, []);
});

const waiting = {
  definition: {
    $schema: 'https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#',
    contentVersion: '1.0.0.0',
    triggers: { manual: { type: 'Request', kind: 'Http', inputs: {} } },
    actions: {
      For_each: { type: 'Foreach', foreach: "@triggerBody()?['names']", operationOptions: 'Sequential', runAfter: {}, actions: { Greet: { type: 'Compose', inputs: "Hello @{items('For_each')}", runAfter: {} } } },
      Delay: { type: 'Wait', inputs: { interval: { count: 10, unit: 'Minute' } }, runAfter: { For_each: ['Succeeded'] } },
      Tell: { type: 'Compose', inputs: 'it was cancelled', runAfter: { Delay: ['Failed', 'TimedOut'] } },
    },
  },
};

test('a run is drawn while it runs, its repetitions paged through, cancelled and resubmitted', { skip, timeout: 90_000 }, async () => {
  await page.goto('/playbooks/deploy');
  await page.getByLabel('or its text').fill(JSON.stringify(waiting));
  await page.getByLabel(/^Name/).fill('Patient');
  await page.getByRole('button', { name: 'Deploy', exact: true }).click();
  await page.getByRole('heading', { name: 'Patient', level: 1 }).waitFor();
  await page.getByRole('tab', { name: 'Workflow' }).click();
  await page.getByRole('button', { name: /^Tell, Compose, runs after Delay failed or timed out/ }).waitFor();

  await page.getByRole('button', { name: 'Run now' }).click();
  await page.getByLabel(/Body that the trigger/).fill('{"names": ["Ada", "Grace", "Edsger"]}');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  const heading = page.getByRole('heading', { name: /^Run 0/, level: 1 });
  await heading.waitFor();
  const first = await heading.innerText();
  await page.getByRole('button', { name: /^Delay, Delay, (Running|Waiting)/ }).waitFor();
  await page.getByRole('button', { name: /^Tell, Compose, not begun/ }).waitFor();

  await page.getByRole('button', { name: /^Greet, / }).click();
  const side = page.getByRole('complementary', { name: 'Step' });
  await side.getByText('Hello Ada').first().waitFor();
  const pager = page.getByRole('group', { name: 'Repetition of For each' });
  await pager.getByRole('button', { name: 'Next repetition' }).click();
  await side.getByText('Hello Grace').first().waitFor();
  await pager.getByRole('textbox').fill('3');
  await pager.getByRole('textbox').press('Enter');
  await side.getByText('Hello Edsger').first().waitFor();

  await page.getByRole('button', { name: 'Cancel run' }).click();
  await page.getByRole('button', { name: /^Delay, Delay, Cancelled/ }).waitFor();
  await page.getByRole('button', { name: 'Resubmit', exact: true }).click();
  await page.waitForFunction((t) => document.querySelector('h1').innerText !== t, first);
  await page.getByRole('button', { name: /^Delay, Delay, (Running|Waiting)/ }).waitFor();
  await page.getByRole('button', { name: 'Cancel run' }).click();
  await page.getByRole('button', { name: /^Delay, Delay, Cancelled/ }).waitFor();
  await page.goto('/playbooks/Patient');
  const cancelled = page.getByRole('table', { name: 'Runs' }).getByRole('row').filter({ hasText: 'Cancelled' });
  await cancelled.nth(1).waitFor();
  assert.equal(await cancelled.count(), 2);
  assert.deepEqual(problems, []);
});

test('what the server refuses of a new token is said in its words, at its field', { skip, timeout: 120_000 }, async () => {
  const next = page.getByRole('button', { name: 'Next' });
  const begin = async () => {
    await page.goto('/tokens/new');
    await page.getByText('Microsoft Word document').click();
    await next.click();
  };
  const finish = async () => {
    while (await next.isVisible()) await next.click();
    await page.getByRole('button', { name: 'Create token' }).click();
  };
  const refused = (text) => page.getByRole('alert').filter({ hasText: text }).first().waitFor();

  await begin();
  await next.click();
  await page.getByLabel('Host', { exact: true }).fill('FS02');
  await next.click();
  await page.getByLabel(/^Webhooks/).fill('https://10.1.2.3/hook');
  await finish();
  await refused(/^The token was not madeWebhook: .*setting outbound/);
  await page.getByText(/^Webhook: .*setting outbound/).last().waitFor();
  assert.equal(await page.getByLabel(/^Webhooks/).getAttribute('aria-invalid'), 'true');
  await page.getByLabel(/^Webhooks/).fill('');
  await page.getByRole('button', { name: 'Back' }).click();
  await page.getByLabel('The host’s public address').fill('999.1.2.3');
  await finish();
  await refused(/999\.1\.2\.3/);
  await page.getByLabel('The host’s public address').waitFor(); // back at the step with the field

  await begin();
  await page.getByRole('radio', { name: /An own document/ }).check();
  await page.getByLabel('Document', { exact: true }).setInputFiles({ name: 'not-a-document.docx', mimeType: 'application/octet-stream', buffer: Buffer.from('this is text') });
  await next.click();
  await page.getByLabel('Host', { exact: true }).fill('FS02');
  await finish();
  await refused(/OwnDocument: /);
  await page.getByLabel('Document', { exact: true }).waitFor();
  assert.deepEqual(problems, []);
});

test('a tool signs in with a code that the person agrees to', { skip, timeout: 60_000 }, async () => {
  const az = '04b07795-8ddb-461a-bbee-02f9e1bf7b46';
  const tool = await request.newContext({ baseURL: picket.url, ignoreHTTPSErrors: true }); // without the person's cookie
  const form = ({ to, ...fields }) => tool.post('/adfs/oauth2/v2.0/' + to, { form: { client_id: az, ...fields } });
  const asked = await (await form({ to: 'devicecode', scope: 'https://management.azure.com/.default offline_access' })).json();
  assert.match(asked.message, /enter the code/);
  await page.goto(asked.verification_uri);
  await page.getByLabel(/The code that the tool shows/).fill(asked.user_code.toLowerCase());
  await page.getByRole('button', { name: 'Next' }).click();
  await page.getByText('Azure CLI').waitFor();
  await page.getByRole('button', { name: 'Agree' }).click();
  await page.getByText('The tool is signed in.').waitFor();
  const token = await (await form({ to: 'token', grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: asked.device_code })).json();
  assert.ok(token.access_token, JSON.stringify(token));
  await tool.dispose();
  await page.goto('/access/tokens');
  await page.getByText('Sign-in to a tool').first().waitFor();
  assert.deepEqual(problems, []);
});

test('a shipper is set up, seen and its table kept for a week', { skip, timeout: 90_000 }, async () => {
  await page.goto('/sources/setup/filebeat');
  await page.getByRole('region', { name: 'filebeat.yml' }).getByText(picket.url).first().waitFor();
  await page.goto('/access/tokens');
  await page.getByRole('button', { name: 'New token' }).click();
  await page.getByRole('dialog').getByLabel(/^Name/).fill('filebeat');
  await page.getByRole('dialog').getByRole('button', { name: 'Make it' }).click();
  const secret = await page.getByText(/^pat_/).innerText();
  const sent = await page.request.post('/_bulk', {
    headers: { Authorization: 'Basic ' + Buffer.from('filebeat:' + secret).toString('base64'), 'Content-Type': 'application/x-ndjson' },
    data: JSON.stringify({ index: { _index: 'web-hosts' } }) + '\n' + JSON.stringify({ '@timestamp': new Date().toISOString(), message: 'hello from the page' }) + '\n',
  });
  assert.equal(sent.status(), 200, await sent.text());
  await page.goto('/sources');
  const row = page.getByRole('table', { name: 'Senders' }).getByRole('row').filter({ hasText: 'Elasticsearch _bulk' });
  await row.getByText('Sending').waitFor();
  await row.getByRole('link', { name: 'web_hosts_CL' }).click();
  await page.getByRole('heading', { name: 'web_hosts_CL', level: 1 }).waitFor();
  await page.getByRole('button', { name: 'Retention' }).click();
  await page.getByRole('dialog').getByRole('combobox', { name: 'Queries see rows' }).click();
  await page.getByRole('option', { name: '7 days', exact: true }).click();
  await page.getByRole('dialog').getByRole('combobox', { name: 'Rows are kept in all' }).click();
  await page.getByRole('option', { name: '7 days', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
  await page.getByText('of the last 7 days').waitFor();
  await page.getByRole('tab', { name: 'Newest rows' }).click();
  await page.getByRole('grid', { name: 'Newest rows' }).getByText('hello from the page').waitFor();
  await page.goto('/access/tokens');
  await page.getByRole('button', { name: 'Revoke filebeat' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
  await page.getByRole('button', { name: 'Revoke filebeat' }).waitFor({ state: 'detached' });
  assert.deepEqual(problems, []);
});

test('a first start asks for an own password', { skip, timeout: 90_000 }, async () => {
  const own = await startPicket({ demo: false });
  try {
    const { page: p, context, problems: bad } = await openPage(browser, own.url);
    await signIn(p, own.user, own.password);
    await p.getByRole('heading', { name: /^Welcome/ }).waitFor();
    await p.getByLabel(/^Current password/).fill(own.password);
    await p.getByLabel(/^New password/).first().fill('a password of my own');
    await p.getByLabel(/^New password again/).fill('a password of my own');
    await p.getByRole('button', { name: 'Change password' }).click();
    await p.getByText('Place a decoy').waitFor();
    await p.goto('/tokens');
    await p.getByText('Create the first token').waitFor();
    await context.clearCookies();
    await p.goto('/tokens');
    await signIn(p, own.user, own.password);
    await p.getByRole('alert').filter({ hasText: 'wrong' }).waitFor(); // the printed one has ended
    assert.deepEqual(bad, []);
    await context.close();
  } finally {
    await own.stop();
  }
});

test('signing out ends the session', { skip, timeout: 30_000 }, async () => {
  await page.goto('/incidents');
  await page.getByRole('button', { name: /^Account/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await page.goto('/tokens');
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
});
