import { nameOf } from '../tree/tree.ts';

const modulePath = /\.ko(\.(gz|xz|zst))?$/;

/** Whether a file name is one of a kernel module: `.ko`, or compressed `.ko.gz`, `.ko.xz`, `.ko.zst`. */
export function isModulePath(path: string): boolean {
  return modulePath.test(path);
}

/** The path that `modules.order` and `modules.builtin` use for a module file: ending in `.ko` whatever its compression. */
export function uncompressedPath(path: string): string {
  return path.replace(modulePath, '.ko');
}

/** The one spelling of a module name: `-` is `_` (kmod, modname_normalize). */
export function normalizeName(name: string): string {
  return name.replaceAll('-', '_');
}

/** The module name of a file: its base name up to the first `.`, normalised, so `xhci-pci.ko.zst` is `xhci_pci`. */
export function moduleName(path: string): string {
  const name = nameOf(path);
  const dot = name.indexOf('.');
  return normalizeName(dot < 0 ? name : name.slice(0, dot));
}

/**
 * The one spelling of an alias pattern: `-` is `_` but for inside `[…]`, where it is a range (kmod, alias_normalize).
 * Undefined when a bracket has no partner.
 */
export function normalizeAlias(alias: string): string | undefined {
  let normalized = '';
  for (let at = 0; at < alias.length; ) {
    const open = alias.indexOf('[', at);
    const plain = open < 0 ? alias.slice(at) : alias.slice(at, open);
    if (plain.includes(']')) return undefined;
    normalized += normalizeName(plain);
    if (open < 0) break;
    const close = alias.indexOf(']', open);
    if (close < 0) return undefined;
    normalized += alias.slice(open, close + 1);
    at = close + 1;
  }
  return normalized;
}
