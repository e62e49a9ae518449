/** Makes one JavaScript file of `rfs`, and one of each of its threads: they load in a tenth of the time that 200 modules take. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';

const root = join(import.meta.dirname, '..');
const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const sources = join(root, 'src');

/** What was made. */
export interface Bundle {
  /** The files by their names in the directory of the bundle; `rfs.cjs` is the program. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** What they were made of, relative to the project. */
  readonly inputs: readonly string[];
}

/** Loads a file to the place where its code begins, and no further, while this global is set: to compile it ahead. */
export const compileOnly = 'zosbuilderCompileOnly';

/** commander alone is bundled: every start needs it, and it is seven files. */
const packages = Object.keys({ ...dependencies, ...optionalDependencies }).filter(
  (name) => name !== 'commander',
);

const options = {
  bundle: true,
  write: false,
  metafile: true,
  platform: 'node',
  target: 'node24',
  // Not ES modules: all that those import from Node.js and from packages would be loaded before the first line runs.
  format: 'cjs',
  supported: { 'dynamic-import': false },
  minifyWhitespace: true,
  legalComments: 'none',
  logLevel: 'silent',
  absWorkingDir: root,
  banner: {
    js: `if(globalThis.${compileOnly})return;
const whenUsed=name=>{let used;return new Proxy({},{get:(_,key)=>(used??=require(name))[key]})};`,
  },
} satisfies BuildOptions;

/**
 * Bundles `rfs` for a directory. Packages stay outside.
 * @param directory where the files will be, for what the code reads beside its sources
 * @throws Error of esbuild for sources that do not compile
 */
export async function bundleRfs(directory: string): Promise<Bundle> {
  const files = new Map<string, Uint8Array>();
  const inputs = new Set<string>();
  const entries = [join(sources, 'cli/rfs.ts')];
  for (const entry of entries) {
    const name = entry === entries[0] ? 'rfs.cjs' : threadFile(entry);
    const result = await build({
      ...options,
      entryPoints: [entry],
      outfile: join(directory, name),
      external: packages,
      plugins: [placesOf(directory, (thread) => entries.includes(thread) || entries.push(thread))],
    });
    if (result.warnings.length > 0) throw new Error(result.warnings.map(({ text }) => text).join('; '));
    files.set(
      name,
      Buffer.from(result.outputFiles[0]!.text.replaceAll(slowModules, '$1=whenUsed("node:$2")')),
    );
    for (const input of Object.keys(result.metafile.inputs)) inputs.add(input);
  }
  return { files, inputs: [...inputs].sort() };
}

/** Modules of Node.js that take a millisecond or more to load (`node:crypto` 3 to 8), and are not used at every start. */
const slowModules =
  /(\bimport_node_\w+)=require\("node:(crypto|child_process|fs\/promises|https?|net|v8|vm|worker_threads|zlib)"\)/g;

const threadFile = (source: string) =>
  `${relative(sources, source).replace(/\.ts$/, '').replaceAll('/', '-')}.cjs`;

/** Lets modules find their threads in the bundle, and everything else where it was. */
function placesOf(directory: string, onThread: (source: string) => void): Plugin {
  return {
    name: 'places',
    setup({ onLoad }) {
      onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8');
        if (!text.includes('import.meta')) return undefined;
        const there = (file: string) =>
          `require('node:path').join(__dirname, ${JSON.stringify(relative(directory, file))})`;
        const url = (place: string) => `require('node:url').pathToFileURL(${place})`;
        const contents = text
          .replace(/new URL\('(\.[^']+)', import\.meta\.url\)/g, (_, file: string) => {
            const thread = resolve(dirname(path), file);
            onThread(thread);
            return url(`require('node:path').join(__dirname, '${threadFile(thread)}')`);
          })
          .replaceAll('import.meta.url', `${url(there(path))}.href`)
          .replaceAll('import.meta.dirname', there(dirname(path)));
        return { contents, loader: 'ts' };
      });
    },
  };
}
