/** For tests of the cache: caches that are gone when the running test ends. */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { FileCache } from './file-cache.ts';
import { type SharedCache, shareCache } from './shared-cache.ts';

/** A new directory that is removed when the running test ends. */
export function testDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'zosbuilder-cache-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The cache of one thread of one process. */
export interface TestCache {
  readonly cache: FileCache;
  readonly shared: SharedCache;
  readonly warnings: string[];
}

/** A thread with a cache; without `shared`, of another process. */
export function threadWith(directory: string, shared = shareCache(directory)): TestCache {
  const warnings: string[] = [];
  const cache = new FileCache(shared, { warn: (line) => warnings.push(line) });
  onTestFinished(() => cache.close());
  return { cache, shared, warnings };
}

export function emptyCache(): TestCache & { readonly directory: string } {
  const directory = join(testDirectory(), 'cache');
  return { directory, ...threadWith(directory) };
}

export function sizeAt(path: string): number | undefined {
  return existsSync(path) ? statSync(path).size : undefined;
}
