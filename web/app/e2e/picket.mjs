// Starts the real program on a folder of its own, with the walk-through armed.
import { spawn, execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const binary = process.env.PICKET ?? join(import.meta.dirname, '../../../bin/picket');
export const present = existsSync(binary);

// The community's own playbook and rule, where they lie; without them the program's own stand in.
const shared = process.env.PICKET_SHARED ?? join(import.meta.dirname, '../../../../shared');
export const community = existsSync(join(shared, 'seed/Ingest-CanaryTokens'));

function freePort() {
  return new Promise((done, fail) => {
    const s = createServer();
    s.on('error', fail);
    s.listen(0, '127.0.0.1', () => {
      const { port } = s.address();
      s.close(() => done(port));
    });
  });
}

/** demo false is a first start of a workspace of one's own: no walk-through, a printed password to change. */
export async function startPicket({ demo: walk = true } = {}) {
  const data = mkdtempSync(join(tmpdir(), 'picket-e2e-'));
  const [listen, trip, http] = [await freePort(), await freePort(), await freePort()].map((p) => '127.0.0.1:' + p);
  const child = spawn(binary, ['serve', ...(walk ? ['--demo'] : []), '--data', data, '--listen', listen, '--trip', trip, '--http', http, ...(walk && community ? ['--content', shared] : [])], { stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  child.stdout.on('data', (c) => (log += c));
  child.stderr.on('data', (c) => (log += c));
  const ended = new Promise((done) => child.on('exit', done));
  const file = join(data, 'demo.json');
  for (let i = 0; ; i++) {
    if ((!walk || existsSync(file)) && /picket is up/.test(log)) break;
    if (child.exitCode != null || i > 300) throw new Error('picket did not come up:\n' + log);
    await new Promise((r) => setTimeout(r, 200));
  }
  const said = /sign in as (\S+) with the password (\S+)/.exec(log);
  const demo = walk ? JSON.parse(readFileSync(file, 'utf8')) : { url: 'https://' + listen, user: said?.[1], password: said?.[2] };
  return {
    ...demo,
    run: (...args) => promisify(execFile)(binary, ['--data', data, ...args]),
    log: () => log,
    async stop() {
      child.kill('SIGTERM');
      await ended;
      rmSync(data, { recursive: true, force: true });
    },
  };
}
