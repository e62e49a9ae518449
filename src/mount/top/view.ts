import { formatTable } from '../../base/table.ts';
import { formatBytes, formatDuration } from '../../base/units.ts';
import { printable } from '../../flist/inspect.ts';
import type { Counter, Histogram } from '../statistics.ts';
import type { MountFigures } from '../stats/figures.ts';
import { requestKinds } from '../stats/prometheus.ts';

/** The same mount at two moments; `before` is undefined when there was no earlier look. */
export interface MountPair {
  readonly before: MountFigures | undefined;
  readonly after: MountFigures;
}

/** Live requests that are shown of each mount. */
const mostRequests = 8;

/** What `rfs top` shows of a mount: what happened between two looks, or since the mount when there was only one. */
export function mountLines(pair: MountPair): string[] {
  const { after } = pair;
  const { mountpoint, flist, pid } = after;
  const age = formatDuration(after.now - after.mounted);
  return [
    `${printable(mountpoint)}  ${printable(flist)}  pid ${pid}, mounted for ${age}`,
    ...indented([...figureLines(pair), ...storeLines(pair), ...requestLines(after)]),
  ];
}

function figureLines(pair: MountPair): string[] {
  const delta = deltaOf(pair);
  const perSecond = (count: number) => rate(count, delta.seconds);
  const kinds = requestKinds
    .map((kind) => [kind, delta.counter(kind)] as const)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${kind} ${perSecond(count)}`);
  const sum = requestKinds.reduce((total, kind) => total + delta.counter(kind), 0);
  const [memory, cache, waited] = [
    delta.counter('readsFromMemory'),
    delta.counter('readsFromCache'),
    delta.counter('readsWaited'),
  ];
  const reads = memory + cache + waited;
  const ahead = [delta.counter('aheadUsed'), delta.counter('aheadUnused')] as const;
  const latency = (name: 'readAtOnce' | 'readWaited') => quantiles(delta.latency(name));
  return formatTable([
    ['requests', [perSecond(sum), ...kinds].join('  ')],
    [
      'reads',
      [
        perSecond(reads),
        `${formatBytes(Math.round(delta.counter('bytesRead') / delta.seconds))}/s`,
        `from memory ${percent(memory, reads)}`,
        `from the cache ${percent(cache, reads)}`,
        `waited ${percent(waited, reads)}`,
        `failed ${delta.counter('readsFailed')} (late ${delta.counter('readsLate')})`,
      ].join('  '),
    ],
    ['latency', `at once ${latency('readAtOnce')}  waited ${latency('readWaited')}`],
    [
      'blocks',
      [
        `asked ${perSecond(delta.counter('blocksAsked'))}`,
        `ahead ${perSecond(delta.counter('blocksAhead'))}, used ${percent(ahead[0], ahead[0] + ahead[1])}`,
        `prefetched ${perSecond(delta.counter('blocksPrefetched'))}`,
        `failed ${delta.counter('blocksFailed')}`,
        `kept ${formatBytes(Math.round(delta.counter('keptBytes') / delta.seconds))}/s`,
      ].join('  '),
    ],
  ]);
}

function storeLines(pair: MountPair): string[] {
  const delta = deltaOf(pair);
  const rows = pair.after.statistics.stores.map((store, i) => {
    const before = pair.before?.statistics.stores[i];
    const difference = (name: 'blocks' | 'bytes' | 'failures') => store[name] - (before?.[name] ?? 0);
    const latency = subtract(store.latency, before?.latency);
    return [
      rate(difference('blocks'), delta.seconds),
      `${formatBytes(Math.round(difference('bytes') / delta.seconds))}/s`,
      quantile(latency, 0.5),
      quantile(latency, 0.99),
      `${store.failures}`,
      printable(store.address),
    ];
  });
  if (rows.length === 0) return [];
  const head = ['blocks', 'bytes', 'median', '99 %', 'failures', 'store'];
  return ['', ...formatTable([head, ...rows], Array(5).fill('right'))];
}

function requestLines({ requests }: MountFigures): string[] {
  if (requests.length === 0) return [];
  const rows = requests
    .slice(0, mostRequests)
    .map(({ path, offset, size, milliseconds }) => [
      formatDuration(milliseconds),
      formatBytes(size),
      `at ${offset}`,
      `/${printable(path)}`,
    ]);
  const more = requests.length - rows.length;
  const table = formatTable([['waiting', 'bytes', '', 'file'], ...rows], ['right', 'right']);
  return ['', ...table, ...(more > 0 ? [`and ${more} more`] : [])];
}

/** What a mount counted between two looks. */
function deltaOf({ before, after }: MountPair) {
  const [now, then] = [after.statistics, before?.statistics];
  return {
    seconds: Math.max((after.now - (before?.now ?? after.mounted)) / 1000, 0.001),
    counter: (name: Counter) => now.counters[name] - (then?.counters[name] ?? 0),
    latency: (name: 'readAtOnce' | 'readWaited') => subtract(now.latencies[name], then?.latencies[name]),
  };
}

function subtract({ classes }: Histogram, before: Histogram | undefined): number[] {
  return classes.map((count, i) => count - (before?.classes[i] ?? 0));
}

function quantiles(classes: readonly number[]): string {
  return `${quantile(classes, 0.5)}, 99 % ${quantile(classes, 0.99)}`;
}

/** The bound of the class in which that part of all is reached: at most twice the truth. */
function quantile(classes: readonly number[], part: number): string {
  const total = classes.reduce((sum, count) => sum + count, 0);
  if (total === 0) return '-';
  let seen = 0;
  const at = classes.findIndex((count) => {
    seen += count;
    return seen >= total * part;
  });
  const microseconds = 2 ** at;
  return `< ${microseconds < 1000 ? `${microseconds} µs` : formatDuration(microseconds / 1000)}`;
}

function rate(count: number, seconds: number): string {
  const each = count / seconds;
  return `${each < 10 && each > 0 ? each.toFixed(1) : Math.round(each)}/s`;
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '-' : `${Math.round((100 * part) / whole)} %`;
}

function indented(lines: readonly string[]): string[] {
  return lines.map((line) => (line === '' ? '' : `  ${line}`));
}
