// A stand-in for picket while the app is developed, for tests only: it serves the built app and answers its
// calls out of memory, in the shapes of the real routes. Nothing of it is shipped.
//
//	node e2e/mock/server.mjs [port]
import { createServer } from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { randomUUID } from 'node:crypto';
import { workspace, data } from './data.mjs';

const dist = join(import.meta.dirname, '../../../dist');
const types = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.ttf': 'font/ttf' };
const csp =
  "default-src 'self'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

export function startMock(port = 0, { empty = false } = {}) {
  const d = data(empty);
  const sessions = new Map();
  const server = createServer((req, res) => {
    let body = [];
    req.on('data', (c) => body.push(c));
    req.on('end', () => {
      try {
        handle(req, res, Buffer.concat(body));
      } catch (e) {
        json(res, 500, { error: { code: 'InternalError', message: String(e.stack) } });
      }
    });
  });
  const json = (res, status, v) => {
    res.writeHead(status, { 'Content-Type': 'application/json' });
    res.end(v === undefined ? '' : JSON.stringify(v));
  };
  const missing = (res) => json(res, 404, { error: { code: 'NotFound', message: 'There is no such thing here.' } });

  function handle(req, res, raw) {
    const url = new URL(req.url, 'http://x');
    const path = url.pathname;
    res.setHeader('Content-Security-Policy', csp);
    if (!/^\/(api|v1|subscriptions)\b/.test(path)) return file(res, path);
    const sid = /picket=(\w+)/.exec(req.headers.cookie ?? '')?.[1];
    const user = sessions.get(sid);
    const info = () => ({ user, csrf: 'csrf-' + sid, workspace, version: 'mock', demo: true, tripUrl: 'http://127.0.0.1:8081', hostMap: { 'canarytokens.org': '127.0.0.1:8443' }, rooms: {} });
    const body = req.headers['content-type']?.startsWith('application/json') && raw.length ? JSON.parse(raw) : raw;
    if (path === '/api/v1/session') {
      if (req.method === 'GET') return json(res, 200, user ? info() : { user: null, demo: true });
      if (req.method === 'DELETE') {
        sessions.delete(sid);
        return json(res, 204);
      }
      if (body.name !== 'admin' || body.password !== 'open sesame now') return json(res, 401, { error: { code: 'InvalidCredentials', message: 'The name or the password is wrong.' } });
      const id = randomUUID().replaceAll('-', '');
      sessions.set(id, { id: 'a0000000-0000-4000-8000-000000000001', name: 'admin', displayName: 'Administrator', role: 'Owner', mustChangePassword: false });
      res.setHeader('Set-Cookie', `picket=${id}; HttpOnly; Path=/; SameSite=Lax`);
      return json(res, 200, { ...info(), user: sessions.get(id), csrf: 'csrf-' + id });
    }
    if (!user) return json(res, 401, { error: { code: 'SignInRequired', message: 'Sign in first.' } });
    if (req.method !== 'GET' && req.headers['x-picket-csrf'] !== 'csrf-' + sid) return json(res, 403, { error: { code: 'InvalidCSRFToken', message: 'No CSRF value.' } });
    for (const [method, pattern, f] of d.routes) {
      const m = pattern.exec(path);
      if (m && method === req.method) {
        const out = f({ m, body, url });
        if (out === null) return missing(res);
        if (typeof out?.status === 'number') return json(res, out.status, out.body);
        if (out?.file) {
          res.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Disposition': `attachment; filename="${out.file}"` });
          return res.end('PK');
        }
        return json(res, 200, out);
      }
    }
    missing(res);
  }

  function file(res, path) {
    let name = join(dist, path);
    if (!existsSync(name + '.gz') && !(extname(path) && existsSync(name))) name = join(dist, 'index.html');
    const type = types[extname(name)] ?? 'application/octet-stream';
    const body = existsSync(name + '.gz') ? gunzipSync(readFileSync(name + '.gz')) : readFileSync(name);
    res.writeHead(200, { 'Content-Type': type });
    res.end(body);
  }

  return new Promise((done) => server.listen(port, '127.0.0.1', () => done({ url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() })));
}

if (process.argv[1] === import.meta.filename) {
  const s = await startMock(Number(process.argv[2] ?? 8444));
  console.log(s.url, '(admin, "open sesame now")');
}
