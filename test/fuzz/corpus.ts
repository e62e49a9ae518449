import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** The inputs of a corpus, sorted by name. */
export async function readCorpus(name: string): Promise<Map<string, Buffer>> {
  const directory = join(import.meta.dirname, 'corpus', name);
  const inputs = new Map<string, Buffer>();
  for (const file of (await readdir(directory)).sort())
    inputs.set(file, await readFile(join(directory, file)));
  return inputs;
}
