/**
 * Makes `lib/` of `src/`: JavaScript and type declarations for the npm package, because Node.js runs TypeScript as it is but not
 * inside `node_modules`; and `rfs` as one file. `npm pack` runs it.
 */
import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundleRfs } from './bundle.ts';

const root = join(import.meta.dirname, '..');
const library = join(root, 'lib');

rmSync(library, { recursive: true, force: true });
execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.library.json'], {
  cwd: root,
  stdio: 'inherit',
});

// The compiler rewrites what is imported; workers are named by a URL, and declarations keep the names of the sources.
const names = /((?:from|import)\s*\(?\s*|new URL\()('\.{1,2}\/[^']+)\.ts'/g;
for (const file of globSync('**/*.{js,d.ts}', { cwd: library })) {
  const path = join(library, file);
  writeFileSync(path, readFileSync(path, 'utf8').replace(names, "$1$2.js'"));
}

const bundle = join(library, 'bundle');
mkdirSync(bundle);
for (const [name, content] of (await bundleRfs(bundle)).files) writeFileSync(join(bundle, name), content);

// Compiled code is kept beside the program, where whoever may write there has started it. Threads get it by the environment.
const start = `#!/usr/bin/env node
process.env.NODE_COMPILE_CACHE ??= require('node:path').join(__dirname, 'compiled');
require('node:module').enableCompileCache(process.env.NODE_COMPILE_CACHE);
require('./rfs.cjs');
`;
writeFileSync(join(bundle, 'start.cjs'), start, { mode: 0o755 });
