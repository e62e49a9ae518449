/** The package that brought each path, as the record of a stage keeps it. */
export type Owners = Readonly<Record<string, string>>;

export function ownersOf(packages: ReadonlyMap<string, string>): Owners {
  return Object.fromEntries(packages);
}

/** The package that brought a path, whatever its name: `constructor` and `__proto__` are names of files too. */
export function ownerOf(owners: Owners, path: string): string | undefined {
  return Object.hasOwn(owners, path) ? owners[path] : undefined;
}
