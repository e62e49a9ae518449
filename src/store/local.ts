import { parseStoreUrl, type Route } from './route.ts';

/** A directory store on this machine, for readers that open its files themselves: threads, for example. */
export interface LocalDirectory extends Omit<Route, 'url'> {
  /** An absolute path. */
  readonly root: string;
}

/**
 * The directories of these routes when all are plain directory stores without parameters and no two have a block in common;
 * undefined when they take more than reading files.
 */
export function localDirectories(routes: readonly Route[]): LocalDirectory[] | undefined {
  const directories: LocalDirectory[] = [];
  for (const { start, end, url } of routes) {
    const { protocol, host, pathname, search } = parseStoreUrl(url);
    if (protocol !== 'dir:' || host !== '' || search !== '' || !pathname.startsWith('/')) return undefined;
    if (directories.some((other) => start <= other.end && other.start <= end)) return undefined;
    directories.push({ start, end, root: pathname });
  }
  return directories;
}
