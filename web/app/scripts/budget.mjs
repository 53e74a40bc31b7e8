// Fails the build when the app outgrows its budget: 3.0 MB zipped in all, 200 kB for what the first screen loads.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { join } from 'node:path';

const dist = join(import.meta.dirname, '../../dist');
const walk = (d) => readdirSync(d).flatMap((n) => (statSync(join(d, n)).isDirectory() ? walk(join(d, n)) : [join(d, n)]));
const total = walk(dist).reduce((n, f) => n + statSync(f).size, 0);

// The shell is what index.html names, and what those scripts import statically.
const read = (f) => gunzipSync(readFileSync(f)).toString();
const seen = new Map();
const visit = (name) => {
  const f = join(dist, name + '.gz');
  if (seen.has(name)) return;
  seen.set(name, statSync(f).size);
  if (!name.endsWith('.js')) return;
  for (const m of read(f).matchAll(/(?:from|import)\s*"\.\/([\w.-]+\.js)"/g)) visit('assets/' + m[1]);
};
for (const m of read(join(dist, 'index.html.gz')).matchAll(/(?:src|href)="\/(assets\/[^"]+)"/g)) visit(m[1]);
const shell = [...seen.values()].reduce((a, b) => a + b, 0);

const kb = (n) => (n / 1000).toFixed(0) + ' kB';
console.log(`zipped: ${kb(total)} in all (limit 3000 kB), first screen ${kb(shell)} (limit 200 kB)`);
if (total > 3.0e6 || shell > 200e3) {
  console.error('over budget:', Object.fromEntries([...seen].map(([k, v]) => [k, kb(v)])));
  process.exit(1);
}
