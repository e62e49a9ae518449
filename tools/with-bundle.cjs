// Starts rfs in a checkout, from one file that is made of the sources and kept beside the packages. It is made anew when a source is
// not as it was; where it cannot be made, the sources run. Plain JavaScript, which starts soonest.
'use strict';
const { accessSync, constants, mkdirSync, readFileSync, statSync } = require('node:fs');
const { enableCompileCache } = require('node:module');
const { join } = require('node:path');

const root = join(__dirname, '..');
const cache = join(root, 'node_modules/.cache');
const bundles = join(cache, 'rfs');

/** The directory of the bundle of the sources as they are, undefined when there is none. */
function freshBundle() {
  try {
    const { directory, inputs } = JSON.parse(readFileSync(join(bundles, 'current.json'), 'utf8'));
    for (const [path, ctime, size, inode] of inputs) {
      const now = statSync(`${root}/${path}`);
      if (now.ctimeMs !== ctime || now.size !== size || now.ino !== inode) return undefined;
    }
    return join(bundles, directory);
  } catch {
    return undefined;
  }
}

function newBundle() {
  try {
    mkdirSync(bundles, { recursive: true });
    accessSync(bundles, constants.W_OK);
  } catch {
    return undefined;
  }
  const env = { ...process.env, NODE_COMPILE_CACHE: join(cache, 'node-compile') };
  const { spawnSync } = require('node:child_process');
  spawnSync(process.execPath, [join(__dirname, 'keep-bundle.ts')], { env, stdio: 'ignore' });
  return freshBundle();
}

const bundle = freshBundle() ?? newBundle();
// For threads and for processes that this one starts, too.
process.env.NODE_COMPILE_CACHE =
  bundle === undefined ? join(cache, 'node-compile') : join(bundle, 'compiled');
enableCompileCache(process.env.NODE_COMPILE_CACHE);
if (bundle === undefined) import('../src/cli/rfs.ts');
else require(join(bundle, 'rfs.cjs'));
