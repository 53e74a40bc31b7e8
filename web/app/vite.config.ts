import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';

// The Go program embeds the build and sends Content-Encoding: gzip, so only the zipped form of each text file
// is kept. Already compressed kinds stay as they are.
const textKinds = /\.(js|css|html|svg|json|ttf)$/;

function gzipOutput(dir: string): Plugin {
  const walk = (d: string): string[] =>
    readdirSync(d).flatMap((n) => (statSync(join(d, n)).isDirectory() ? walk(join(d, n)) : [join(d, n)]));
  return {
    name: 'gzip-output',
    apply: 'build',
    enforce: 'post',
    closeBundle() {
      for (const f of walk(dir).filter((f) => textKinds.test(f))) {
        writeFileSync(f + '.gz', gzipSync(readFileSync(f), { level: 9 }));
        rmSync(f);
      }
    },
  };
}

const outDir = join(import.meta.dirname, '../dist');
const server = process.env.PICKET_URL ?? 'https://127.0.0.1:8443';
const proxied = ['/api', '/v1', '/v2', '/subscriptions'];

export default defineConfig({
  plugins: [react(), gzipOutput(outDir)],
  // Kusto's language service was compiled from C# and is taken for CommonJS: it reads `global`. Without this
  // its worker dies and completion silently falls away.
  define: { global: 'globalThis' },
  worker: { format: 'iife' },
  build: {
    outDir,
    emptyOutDir: true, // public/.keep is written again, and with it the tracked dist/.keep
    chunkSizeWarningLimit: 9000,
    rolldownOptions: {
      onwarn(warning, warn) {
        if (warning.code === 'EVAL') return; // Newtonsoft.Json's, never reached; the policy would refuse it
        warn(warning);
      },
    },
  },
  server: { proxy: Object.fromEntries(proxied.map((p) => [p, { target: server, secure: false, changeOrigin: false }])) },
});
