/**
 * Makes `lib/` of `src/`: JavaScript and type declarations for the npm package, because Node.js runs TypeScript as it is but not
 * inside `node_modules`. `npm pack` runs it.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

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

const program = join(library, 'cli/rfs.js');
writeFileSync(program, `#!/usr/bin/env node\n${readFileSync(program, 'utf8')}`);
chmodSync(program, 0o755);
