import { Failure } from '../base/errors.ts';
import { closestName } from '../base/names.ts';
import { parseBytes, parseDuration } from '../base/units.ts';
import { type FaultRule, parseFaultRule } from './wrappers/fault-rules.ts';

/** How a store is to be used, from the address that names it. What is not said there is up to the kind of store. */
export interface StoreParameters {
  /** Questions to it at one time. */
  readonly concurrency?: number;
  /** Bytes of blocks per second. */
  readonly bandwidth?: number;
  /** Milliseconds for one answer. */
  readonly timeout?: number;
  /** Further attempts after a failed one. */
  readonly retries?: number;
  /** Whether bad blocks are replaced by good ones of other replicas. */
  readonly heal?: boolean;
}

/** The faults of a `fault+URL`. */
export interface FaultParameters {
  readonly rules: readonly FaultRule[];
  readonly seed: number;
}

export interface StoreAddress {
  /** The URL without what is meant for us, otherwise byte for byte as it was. */
  readonly url: string;
  readonly parameters: StoreParameters;
  readonly faults?: FaultParameters;
}

interface Reader {
  readonly read: (text: string) => number | boolean | undefined;
  readonly hint: string;
}

const wholeNumber = (least: number, most: number) => (text: string) => {
  const number = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  return number >= least && number <= most ? number : undefined;
};

const positive = (read: (text: string) => number) => (text: string) => {
  const value = read(text);
  return value > 0 ? value : undefined;
};

const readers: Readonly<Record<keyof StoreParameters, Reader>> = {
  concurrency: { read: wholeNumber(1, 10_000), hint: 'a whole number from 1, as in concurrency=16' },
  bandwidth: {
    read: (text) => positive(parseBytes)(text.replace(/\/s$/, '')),
    hint: 'bytes per second, as in bandwidth=10MB or bandwidth=512KiB',
  },
  timeout: {
    read: positive(parseDuration),
    hint: 'a time with its unit, as in timeout=500ms or timeout=30s',
  },
  retries: { read: wholeNumber(0, 1000), hint: 'a whole number, as in retries=3; 0 for none' },
  heal: {
    read: (text) => ({ true: true, false: false })[text],
    hint: 'heal=true, or heal=false',
  },
};

/** The parameters that every kind of store understands, and that never reach the store itself. */
export const parameterNames = Object.keys(readers);

/** How an address of S3 begins whose secret stands there as it is, with `/`, `?` and `#`, which a URL would have escaped. */
export const rawS3Login = /^s3s?:\/\/[^:/?#@]+:(?!\d{1,5}(?:[/?#]|$))[^@]*@/i;

/**
 * Takes what is meant for us out of the address of a store: `fault+` before it, and the parameters above, with `fault` and
 * `seed` in a `fault+URL`.
 * @throws Failure `usage` for a value that makes no sense.
 */
export function splitAddress(text: string): StoreAddress {
  const isFaulty = /^fault\+/i.test(text);
  const whole = isFaulty ? text.slice('fault+'.length) : text;
  const [login = ''] = rawS3Login.exec(whole) ?? [];
  const [, place, query = '', hash = ''] = /^([^?#]*)(?:\?([^#]*))?(#.*)?$/s.exec(whole.slice(login.length))!;
  const taken = new Map<string, unknown>();
  const rules: FaultRule[] = [];
  let seed = 0;
  const rest: string[] = [];
  for (const pair of query === '' ? [] : query.split('&')) {
    const [[name, value]] = [...new URLSearchParams(pair), ['', '']] as [[string, string]];
    if (Object.hasOwn(readers, name)) taken.set(name, readParameter(name as keyof StoreParameters, value));
    else if (isFaulty && name === 'fault') rules.push(parseFaultRule(value));
    else if (isFaulty && name === 'seed') seed = readSeed(value);
    else rest.push(pair);
  }
  return {
    url: `${login}${place}${rest.length === 0 ? '' : `?${rest.join('&')}`}${hash}`,
    parameters: Object.fromEntries(taken),
    ...(isFaulty && { faults: { rules, seed } }),
  };
}

/** What a kind of store, with parameters of its `own`, says to one that neither it nor we know. */
export function unknownParameter(address: string, name: string, own: readonly string[] = []): Failure {
  const known = [...own, ...parameterNames];
  const meant = closestName(name, known);
  return new Failure('usage', `${address} has no parameter ${JSON.stringify(name)}`, {
    hint: meant === undefined ? `known are ${known.join(', ')}` : `did you mean ${meant}?`,
  });
}

function readParameter(name: keyof StoreParameters, text: string): number | boolean {
  const { read, hint } = readers[name];
  const fail = (cause?: unknown) =>
    new Failure('usage', `the parameter ${name} of a store cannot be ${JSON.stringify(text)}`, {
      hint: `it is ${hint}`,
      cause,
    });
  let value: number | boolean | undefined;
  try {
    value = read(text);
  } catch (error) {
    throw fail(error);
  }
  if (value === undefined) throw fail();
  return value;
}

function readSeed(text: string): number {
  const seed = wholeNumber(0, 999_999_999)(text);
  if (seed === undefined)
    throw new Failure('usage', `the seed of a faulty store cannot be ${JSON.stringify(text)}`, {
      hint: 'it is a whole number, as in seed=7',
    });
  return seed;
}
