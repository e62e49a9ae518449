import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../base/errors.ts';
import { formatBytes } from '../../base/units.ts';
import { directoryEntry, linkEntry, textEntry } from '../../image/entries.ts';
import { bundleForNode, nodeBinary } from '../../image/node-runtime.ts';
import { stripSymbols } from '../../image/strip.ts';
import { readUnitDirectory } from '../../node/unit-directory.ts';
import { formatUnitProblem } from '../../node/units.ts';
import { treeFromDirectory } from '../../tree/from-directory.ts';
import { type Entry, Tree } from '../../tree/tree.ts';
import { packageRoot } from '../project.ts';
import { sourceDigest } from '../source-digest.ts';
import { recipeDirectory, recipeFile, type Stage, value } from '../stage.ts';

const nodeProgram = join(packageRoot, 'src/node/main.ts');

export const zinitSetup: Stage = {
  name: 'zinit_setup',
  summary: 'units, supervisor and its runtime',
  module: import.meta.filename,
  inputs: async (recipe) => ({
    zinit: recipeDirectory(recipe, 'zinit'),
    inittab: recipeFile(recipe, 'inittab'),
    'node program': value(sourceDigest(nodeProgram)),
    'node runtime': value((await nodeBinary(recipe.values.architecture)).version),
    architecture: value(recipe.values.architecture),
  }),
  async run(access) {
    const units = await unitsTree(access.path('zinit'), access.label('zinit'));
    const runtime = await nodeBinary(await access.value('architecture'));
    const bundle = await bundleForNode(nodeProgram);
    const files: [string, Entry][] = [...units]
      .filter(([path]) => path !== '')
      .map(([path, entry]) => [`etc/zinit/${path}`, entry]);
    files.push(
      ['etc/inittab', textEntry(await access.text('inittab'))],
      ['usr/sbin/init', linkEntry('../bin/busybox')],
      ['usr/lib/zosbuilder/node.mjs', textEntry(bundle)],
      ['usr/bin/node', textEntry(stripSymbols(await readFile(runtime.path), runtime.path), 0o755)],
    );
    return {
      trees: { files: Tree.from(files) },
      values: { runtime: { name: 'node', version: runtime.version } },
      note: `${units.size - 1} unit files, Node ${runtime.version}, program ${formatBytes(bundle.length)}`,
    };
  },
};

/**
 * The unit files and scripts as they go into the image: root's, scripts executable, whatever the checkout says.
 * @throws Failure `config` with file and line for a unit that a supervisor would not take.
 */
async function unitsTree(source: string, label: string): Promise<Tree> {
  const { problems } = await readUnitDirectory(source, label);
  const error = problems.find(({ severity }) => severity === 'error');
  if (error)
    throw new Failure('config', formatUnitProblem(error), {
      hint: 'no supervisor would start it: correct that line, or remove the unit',
    });
  return (await treeFromDirectory(source)).map((path, entry) => {
    if (entry.kind === 'directory') return directoryEntry();
    const mode = path.endsWith('.sh') ? 0o755 : 0o644;
    return entry.kind === 'file' ? { ...textEntry('', mode), content: entry.content } : undefined;
  });
}
