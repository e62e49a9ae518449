import { Failure } from '../base/errors.ts';
import { formatBytes } from '../base/units.ts';
import { type Closure, chainTo, type Reason } from '../kernel/closure.ts';
import { formatPlace } from '../kernel/config-lines.ts';
import { firmwareDirectory, type SelectedFirmware, uncompressedName } from '../kernel/firmware.ts';
import { ModuleIndex } from '../kernel/module-index.ts';
import { normalizeName } from '../kernel/module-name.ts';
import { resolvePath } from '../tree/links.ts';
import type { Tree } from '../tree/tree.ts';
import type { FlistsValue } from './flist-names.ts';
import { type Owners, ownerOf } from './owners.ts';
import type { Session } from './session.ts';
import type { KernelValue } from './stages/kernel-modules.ts';

/** Why something is where it is, in sentences: first where, then the chain of reasons. */
export interface Explanation {
  readonly subject: string;
  readonly image: boolean;
  /** The flist that carries it, if one does. */
  readonly flist?: string;
  readonly lines: readonly string[];
}

/**
 * Explains a path of the image, `module:NAME` or `firmware:NAME` from the results of the last build.
 * @throws Failure `not-found` when nothing of that name is known, or nothing was built
 */
export async function explain(session: Session, subject: string): Promise<Explanation> {
  const [, kind, name] = /^(module|firmware):(.+)$/.exec(subject) ?? [];
  if (kind === 'module') return explainModule(session, name!);
  if (kind === 'firmware') return explainFirmware(session, name!);
  return explainPath(session, subject);
}

async function explainModule(session: Session, name: string): Promise<Explanation> {
  const { engine } = session;
  const { release, package: brought, version } = await engine.value<KernelValue>('kernel_modules', 'kernel');
  const closure = await engine.value<Closure>('modules_setup', 'closure');
  const directory = (await engine.tree('kernel_modules', 'modules')).subtree(`usr/lib/modules/${release}`);
  const index = await ModuleIndex.read(directory);
  const found = index.resolve(name);
  if (!found) {
    const close = index.suggest(name);
    throw new Failure('not-found', `kernel ${release} has no module "${name}"`, {
      hint: close ? `did you mean ${close}?` : 'see them all: rfs flist tree dist/flists/modules-*.fl',
    });
  }
  const lines: string[] = [];
  if (found.isAlias) lines.push(`"${name}" is an alias of ${found.names.join(', ')}`);
  const { modules: flist } = await namesOf(session);
  let inImage = false;
  for (const module of found.names) {
    if (found.kind === 'builtins') {
      lines.push(`${module} is part of the kernel image of ${brought} ${version}; there is nothing to load`);
      continue;
    }
    const path = index.pathOf(module);
    const size = directory.file(path)?.content.size ?? 0;
    lines.push(`${module} is ${path} of ${brought} ${version}, ${formatBytes(size)}`);
    const chain = chainTo(closure, module);
    if (chain) {
      inImage = true;
      const stage = closure.modules.find((each) => each.name === module)!.stage;
      lines.push(
        `in the image (${stage}), because:`,
        ...chain.map((link) => `  ${link.name}: ${describeReason(link.reason)}`),
      );
    } else {
      lines.push(
        'not in the image: no line of modules.conf names it, and nothing that is in the image depends on it',
      );
      lines.push(`  to have it there, add the line stage2:${module} to modules.conf`);
    }
    lines.push(
      `in the flist ${flist}, as every module of this kernel: loaded from there when a device asks for it`,
    );
  }
  return {
    subject: `module:${normalizeName(name)}`,
    image: inImage,
    ...(found.kind === 'modules' && { flist }),
    lines,
  };
}

function describeReason(reason: Reason): string {
  const alias = reason.alias === undefined ? '' : ` by the alias ${reason.alias}`;
  if (reason.kind === 'wanted') return `wanted by ${formatPlace(reason.by.place)}${alias}`;
  return `${reason.kind === 'depends' ? 'needed' : `named as ${reason.kind}`} by ${reason.of}${alias}`;
}

async function explainFirmware(session: Session, name: string): Promise<Explanation> {
  const entries = await session.engine.value<SelectedFirmware[]>('base_firmware', 'firmware');
  const wanted = uncompressedName(name.replace(/^\/?(usr\/)?(lib\/firmware\/)?/, ''));
  const { firmware: flist } = await namesOf(session);
  const users = await session.engine.value<{ module: string; firmware: string[] }[]>(
    'modules_copy',
    'firmwareUsers',
  );
  const askers = users.filter(({ firmware }) => firmware.includes(wanted)).map(({ module }) => module);
  const matching = entries.filter(
    ({ entry, paths }) =>
      entry.name === wanted ||
      paths.some((path) => uncompressedName(path) === `${firmwareDirectory}/${wanted}`),
  );
  const asked = askers.length > 0 ? [`modules of the image that may ask for it: ${askers.join(', ')}`] : [];
  if (matching.length === 0)
    return {
      subject: `firmware:${wanted}`,
      image: false,
      lines: [`not in the image and not in the flist: no line of firmware.conf selects it`, ...asked],
    };
  const lines = matching.map(
    ({ entry, packages, files, bytes }) =>
      `${formatPlace(entry.place)} (${entry.target}:${entry.name}) selects it from ${packages.join(', ')}: ${files} files, ${formatBytes(bytes)}`,
  );
  const image = matching.some(({ entry }) => entry.target === 'image');
  lines.push(
    image
      ? 'in the image, because such a line says image:'
      : 'not in the image: that takes a line that says image:',
  );
  lines.push(`in the flist ${flist}, as everything that firmware.conf selects`);
  return { subject: `firmware:${wanted}`, image, flist, lines: [...lines, ...asked] };
}

async function explainPath(session: Session, subject: string): Promise<Explanation> {
  const root = await session.engine.tree('initramfs_create', 'root');
  const place = resolveName(root, subject.replace(/^\/+|\/+$/g, ''));
  const entry = place === undefined ? undefined : root.get(place);
  if (place === undefined || !entry) {
    const base = await session.engine.tree('base_packages', 'root');
    const removed = resolveName(base, subject.replace(/^\/+/, ''));
    return {
      subject,
      image: false,
      lines: [
        removed === undefined
          ? 'not in the image: no package, module, firmware line or file of the recipe brings it'
          : `not in the image: a package brings it, and a pattern of cleanup in image.yaml removes it`,
      ],
    };
  }
  const firmware = /^usr\/lib\/firmware\/(.+)$/.exec(place)?.[1];
  if (firmware !== undefined && entry.kind === 'file') return explainFirmware(session, firmware);
  const module = /^usr\/lib\/modules\/.+\/([^/]+)\.ko(\.\w+)?$/.exec(place)?.[1];
  if (module !== undefined) return explainModule(session, module);
  const owners = await session.engine.value<Owners>('base_packages', 'owners');
  const size = entry.kind === 'file' ? `, ${formatBytes(entry.content.size)}` : '';
  const by = ownerOf(owners, place);
  return {
    subject: place,
    image: true,
    lines: [
      `/${place} is a ${entry.kind}${size}`,
      by === undefined
        ? 'made by zosbuilder from the recipe'
        : `brought by the package ${by}, which packages.list names or a package of it needs`,
    ],
  };
}

/** The place of a name in a tree: the link itself where the name is a link, with links on the way followed. */
function resolveName(root: Tree, path: string): string | undefined {
  if (root.has(path)) return path;
  return resolvePath((at) => root.get(at), path);
}

async function namesOf({ engine }: Session): Promise<FlistsValue['names']> {
  return (await engine.value<FlistsValue>('modules_setup', 'flists')).names;
}
