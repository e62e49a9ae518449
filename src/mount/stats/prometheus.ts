import type { Counter, Histogram } from '../statistics.ts';
import type { MountFigures } from './figures.ts';

type Labels = Readonly<Record<string, string>>;

/** One value of a metric. */
interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

/** A metric of the text format. */
interface Metric {
  /** Without the prefix of all. */
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly samples: readonly Sample[];
}

interface HistogramMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'histogram';
  readonly samples: readonly { readonly labels?: Labels; readonly histogram: Histogram }[];
}

const prefix = 'flist_';

/** The media type of `formatMetrics`. */
export const metricsType = 'text/plain; version=0.0.4; charset=utf-8';

/** The figures of a mount in the text format of Prometheus ("Exposition formats", version 0.0.4). */
export function formatMetrics(figures: MountFigures): string {
  return metricsOf(figures)
    .map((metric) => `${headOf(metric)}${linesOf(metric).join('\n')}\n`)
    .join('');
}

function metricsOf({ mountpoint, flist, pid, mounted, now, statistics, requests }: MountFigures) {
  const { counters, latencies, stores } = statistics;
  const counted = (name: Counter) => ({ value: counters[name] });
  const by = (label: string, names: Readonly<Record<string, Counter>>): Sample[] =>
    Object.entries(names).map(([value, name]) => ({ labels: { [label]: value }, value: counters[name] }));
  const byStore = (value: (store: (typeof stores)[number]) => number): Sample[] =>
    stores.map((store) => ({ labels: { store: store.address }, value: value(store) }));
  const metrics: (Metric | HistogramMetric)[] = [
    {
      name: 'mount_info',
      help: 'The mount.',
      type: 'gauge',
      samples: [{ labels: { mountpoint, flist, pid: `${pid}` }, value: 1 }],
    },
    {
      name: 'mounted_seconds',
      help: 'Seconds since it was mounted.',
      type: 'gauge',
      samples: [{ value: (now - mounted) / 1000 }],
    },
    {
      name: 'requests_total',
      help: 'Requests of the kernel.',
      type: 'counter',
      samples: by('kind', Object.fromEntries(requestKinds.map((kind) => [kind, kind]))),
    },
    {
      name: 'reads_total',
      help: 'Reads by what answered them: blocks in memory, cached files, or blocks that had to come first.',
      type: 'counter',
      samples: by('from', { memory: 'readsFromMemory', cache: 'readsFromCache', store: 'readsWaited' }),
    },
    {
      name: 'read_failures_total',
      help: 'Reads that ended with an error; late ones are those that ended at the deadline.',
      type: 'counter',
      samples: [
        { labels: { why: 'late' }, value: counters.readsLate },
        { labels: { why: 'other' }, value: counters.readsFailed - counters.readsLate },
      ],
    },
    {
      name: 'reads_interrupted_total',
      help: 'Reads that their program gave up.',
      type: 'counter',
      samples: [counted('readsInterrupted')],
    },
    {
      name: 'read_bytes_total',
      help: 'Bytes of answered reads.',
      type: 'counter',
      samples: [counted('bytesRead')],
    },
    {
      name: 'reads_waiting',
      help: 'Reads that wait for blocks.',
      type: 'gauge',
      samples: [{ value: requests.length }],
    },
    {
      name: 'read_seconds',
      help: 'How long reads took that were answered at once, and those that had to wait.',
      type: 'histogram',
      samples: [
        { labels: { answer: 'at_once' }, histogram: latencies.readAtOnce },
        { labels: { answer: 'waited' }, histogram: latencies.readWaited },
      ],
    },
    {
      name: 'blocks_total',
      help: 'Blocks that came from stores, by why: a read waited, a reader was about to want them, a list named them.',
      type: 'counter',
      samples: by('why', { asked: 'blocksAsked', ahead: 'blocksAhead', prefetched: 'blocksPrefetched' }),
    },
    {
      name: 'blocks_cached_total',
      help: 'Blocks that were wanted ahead and were in the cache.',
      type: 'counter',
      samples: [counted('blocksCached')],
    },
    {
      name: 'blocks_failed_total',
      help: 'Blocks that no store could give.',
      type: 'counter',
      samples: [counted('blocksFailed')],
    },
    {
      name: 'blocks_ahead_total',
      help: 'Blocks fetched ahead that were read from memory later, and those that left it before.',
      type: 'counter',
      samples: by('then', { used: 'aheadUsed', unused: 'aheadUnused' }),
    },
    {
      name: 'memory_evictions_total',
      help: 'Blocks that left memory for others.',
      type: 'counter',
      samples: [counted('memoryEvictions')],
    },
    {
      name: 'plain_bytes_total',
      help: 'Plain bytes of blocks that came from stores.',
      type: 'counter',
      samples: [counted('plainBytes')],
    },
    {
      name: 'kept_bytes_total',
      help: 'Bytes that were put into the cache.',
      type: 'counter',
      samples: [counted('keptBytes')],
    },
    {
      name: 'decode_seconds',
      help: 'How long it took to make stored blocks plain.',
      type: 'histogram',
      samples: [{ histogram: latencies.decode }],
    },
    {
      name: 'store_blocks_total',
      help: 'Blocks that a store gave.',
      type: 'counter',
      samples: byStore(({ blocks }) => blocks),
    },
    {
      name: 'store_bytes_total',
      help: 'Stored bytes that a store gave.',
      type: 'counter',
      samples: byStore(({ bytes }) => bytes),
    },
    {
      name: 'store_failures_total',
      help: 'Blocks that a store did not give, or gave damaged.',
      type: 'counter',
      samples: byStore(({ failures }) => failures),
    },
    {
      name: 'store_seconds',
      help: 'How long a store took to give a block.',
      type: 'histogram',
      samples: stores.map(({ address, latency }) => ({ labels: { store: address }, histogram: latency })),
    },
  ];
  return metrics.filter(({ samples }) => samples.length > 0);
}

/** The counters that are kinds of requests. */
export const requestKinds = [
  'lookup',
  'getattr',
  'readlink',
  'readdir',
  'statfs',
  'xattr',
  'lseek',
  'open',
  'release',
  'read',
] as const satisfies readonly Counter[];

function headOf({ name, help, type }: Metric | HistogramMetric): string {
  return `# HELP ${prefix}${name} ${help}\n# TYPE ${prefix}${name} ${type}\n`;
}

function linesOf(metric: Metric | HistogramMetric): string[] {
  const name = `${prefix}${metric.name}`;
  if (metric.type !== 'histogram')
    return metric.samples.map(({ labels = {}, value }) => lineOf(name, labels, value));
  return metric.samples.flatMap(({ labels = {}, histogram }) => histogramLines(name, labels, histogram));
}

/** Class `i` is what took less than 2^i microseconds; the last one has no bound. */
function histogramLines(name: string, labels: Labels, { classes, milliseconds }: Histogram): string[] {
  let count = 0;
  const buckets = classes.map((inClass, i) => {
    count += inClass;
    const le = i === classes.length - 1 ? '+Inf' : `${2 ** i / 1e6}`;
    return lineOf(`${name}_bucket`, { ...labels, le }, count);
  });
  return [
    ...buckets,
    lineOf(`${name}_sum`, labels, milliseconds / 1000),
    lineOf(`${name}_count`, labels, count),
  ];
}

function lineOf(name: string, labels: Labels, value: number): string {
  const text = Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`);
  return `${name}${text.length > 0 ? `{${text.join(',')}}` : ''} ${value}`;
}

function escaped(value: string): string {
  return value.toWellFormed().replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}
