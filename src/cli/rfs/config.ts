import type { Command } from 'commander';
import { Failure } from '../../base/errors.ts';
import { type ManifestSettings, readManifest, writeManifest } from '../../flist/manifest/manifest.ts';
import { openRoutes } from '../../store/open.ts';
import { parseRoute, routeUrl } from '../../store/route.ts';
import { printJson } from '../face.ts';
import { repeatable, stores } from './options.ts';

interface ListOptions {
  readonly meta: string;
  readonly json?: boolean;
}

interface ChangeOptions {
  readonly meta: string;
  readonly tag?: readonly string[];
  readonly store?: readonly string[];
  readonly key?: readonly string[];
  readonly all?: boolean;
}

export default function define(command: Command): void {
  command.requiredOption('-m, --meta <file>', 'the flist');
  defineTag(command.command('tag').description('list, set and delete tags'));
  defineStore(command.command('store').description('list, add and delete stores'));
}

function defineTag(tag: Command): void {
  const list = tag.command('list').description('print the tags').option('--json', 'print them as JSON');
  list.action(async () => {
    const { meta, json } = list.optsWithGlobals<ListOptions>();
    const { tags } = await readManifest(meta);
    if (json) printJson(Object.fromEntries(tags));
    else if (tags.size > 0)
      console.log(['tags:', ...[...tags].map(([key, value]) => `\t${key}=${value}`)].join('\n'));
  });
  const add = tag
    .command('add')
    .description('set tags')
    .requiredOption('-t, --tag <key=value>', 'a tag (repeatable)', repeatable);
  add.action(async () => {
    const { meta, tag } = add.optsWithGlobals<ChangeOptions>();
    const added = (tag ?? []).map(parseTag);
    await change(meta, ({ tags }) => ({ tags: new Map([...tags, ...added]) }));
  });
  const remove = tag
    .command('delete')
    .description('delete tags')
    .option('-k, --key <key>', 'a tag (repeatable)', repeatable)
    .option('-a, --all', 'all tags');
  remove.action(async () => {
    const { meta, key: keys, all } = remove.optsWithGlobals<ChangeOptions>();
    requireChoice(keys, all, '--key');
    await change(meta, ({ tags }) => ({
      tags: new Map(all ? [] : [...tags].filter(([key]) => !keys?.includes(key))),
    }));
  });
}

function defineStore(store: Command): void {
  const list = store.command('list').description('print the stores').option('--json', 'print them as JSON');
  list.action(async () => {
    const { meta, json } = list.optsWithGlobals<ListOptions>();
    const { routes } = await readManifest(meta);
    const lines = routes.map(({ start, end, url }) => `\trange:[${start}-${end}] store:${url}`);
    if (json) printJson(routes);
    else if (routes.length > 0) console.log(['routes:', ...lines].join('\n'));
  });
  const add = store
    .command('add')
    .description('add stores; passwords in their addresses are kept')
    .requiredOption('-s, --store <[xx-yy=]url>', 'a store (repeatable)', stores);
  add.action(async () => {
    const { meta, store } = add.optsWithGlobals<ChangeOptions>();
    const given = (store ?? []).map(parseRoute);
    await openRoutes(given); // refuses what no reader could use
    const added = given.map((route) => ({ ...route, url: routeUrl(route.url, { keepPassword: true }) }));
    await change(meta, ({ routes }) => ({ routes: [...routes, ...added] }));
  });
  const remove = store
    .command('delete')
    .description('delete stores')
    .option('-s, --store <url>', 'a store, exactly as the list shows it (repeatable)', repeatable)
    .option('-a, --all', 'all stores');
  remove.action(async () => {
    const { meta, store: urls, all } = remove.optsWithGlobals<ChangeOptions>();
    requireChoice(urls, all, '--store');
    await change(meta, ({ routes }) => ({
      routes: all ? [] : routes.filter(({ url }) => !urls?.includes(url)),
    }));
  });
}

async function change(
  meta: string,
  edit: (settings: ManifestSettings) => Partial<ManifestSettings>,
): Promise<void> {
  const manifest = await readManifest(meta);
  await writeManifest(meta, manifest.with(edit(manifest)));
}

function parseTag(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new Failure('usage', `the tag ${JSON.stringify(text)} is not KEY=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function requireChoice(some: readonly string[] | undefined, all: boolean | undefined, option: string): void {
  if (some === undefined && !all)
    throw new Failure('usage', 'it is not said what to delete', { hint: `give ${option}, or --all` });
}
